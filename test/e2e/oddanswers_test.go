package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/test/client"
)

// script is what a provider answers that is out of the ordinary, and well otherwise.
type script struct {
	// introspect changes the answer about a token: by the token, members of its JSON object. A status instead is in statuses.
	introspect map[string]map[string]any
	// statuses are what is answered about a token instead of 200: by the token.
	statuses map[string]int
	// down: every token is inactive, and there is no discovery document.
	down bool
	// permissions is the answer to questions for permissions, 0 and "" = as it is.
	permissions int
	refusal     string
}

// follow lets a provider answer by a script.
func (p *faultyProvider) follow(s script) {
	p.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
		if s.permissions != 0 && strings.Contains(r.URL.Path, "/permissions/") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(s.permissions)
			io.WriteString(w, s.refusal)
			return
		}
		if s.down && strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/introspect") {
			p.Handler().ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		p.Handler().ServeHTTP(rec, r)
		form, _ := url.ParseQuery(string(body))
		token := form.Get("token")
		if status := s.statuses[token]; status != 0 {
			w.WriteHeader(status)
			return
		}
		var members map[string]any
		if json.Unmarshal(rec.Body.Bytes(), &members) == nil {
			maps.Copy(members, s.introspect[token])
			if s.down {
				members = map[string]any{"active": false}
			}
			rec.Body.Reset()
			json.NewEncoder(rec.Body).Encode(members)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// A caller who acts as another is refused as by the reference, in every form, unless that is allowed. Then both are in the log.
// Tokens that the provider refuses are refused in either case.
func TestImpersonation(t *testing.T) {
	const refusal = `{"code":7,"message":"Impersonation token not allowed (APP-Shi0J)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"APP-Shi0J"}]}`
	for _, row := range []struct {
		title   string
		flags   []string
		refused bool // by the provider, when it is asked for permissions
		want    connect.Code
	}{
		{"claims", nil, false, connect.CodePermissionDenied},
		{"claims, allowed", []string{"--authz-allow-impersonation"}, false, success},
		{"zitadel", []string{"--authz-source", "zitadel"}, false, connect.CodePermissionDenied},
		{"zitadel, allowed", []string{"--authz-source", "zitadel", "--authz-allow-impersonation"}, false, success},
		{"zitadel, allowed here and not there", []string{"--authz-source", "zitadel", "--authz-allow-impersonation"}, true, connect.CodePermissionDenied},
	} {
		p := newProvider(t, nil)
		dir := filepath.Join(t.TempDir(), "data")
		registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
		srv, base := startServe(t, p.Settings(), dir, row.flags...)
		caller := newCaller(t, base)
		token, bystander := p.mint(t, managerID), p.mint(t, managerID)
		s := script{introspect: map[string]map[string]any{token: {"act": map[string]any{"iss": p.Issuer, "sub": "mallory"}}}}
		if row.refused {
			s.permissions, s.refusal = http.StatusForbidden, refusal
		}
		p.follow(s)
		for form, got := range caller.removeInAllForms(t, token, devidp.UserBob) {
			if got.Code != row.want || row.want != success && !strings.HasSuffix(got.Message, "(APP-Shi0J)") || form == "REST" && row.want != success && got.Status != http.StatusForbidden {
				t.Errorf("%s, %s: %v (HTTP %d): %s", row.title, form, got.Code, got.Status, got.Message)
			}
		}
		own := caller.do(t, http.MethodDelete, base+"/auth/v1/users/me/avatar", token, "", nil)
		allowed := slices.Contains(row.flags, "--authz-allow-impersonation")
		if refused := own.Code == connect.CodePermissionDenied && strings.HasSuffix(own.Message, "(APP-Shi0J)"); refused == allowed {
			t.Errorf("%s: one's own: %v %s", row.title, own.Code, own.Message)
		}
		if !row.refused {
			for form, got := range caller.removeInAllForms(t, bystander, devidp.UserBob) {
				if got.Code != success {
					t.Errorf("%s, %s: a bystander: %v %s", row.title, form, got.Code, got.Message)
				}
			}
		}
		caller.Close()
		srv.stop()
		log := srv.out.String()
		if row.want == success && !strings.Contains(log, "mallory") || row.want != success && !strings.Contains(log, "reason=impersonation") || strings.Contains(log, token) {
			t.Errorf("%s: the log:\n%s", row.title, log)
		}
	}
}

// One token for which the provider fails is nobody else's trouble, in any form and with either source of permissions.
func TestOneTokenFails(t *testing.T) {
	for _, source := range []string{"claims", "zitadel"} {
		p := newProvider(t, nil)
		dir := filepath.Join(t.TempDir(), "data")
		registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
		srv, base := startServe(t, p.Settings(), dir, "--authz-source", source, "--introspection-cache-ttl", "0")
		caller := newCaller(t, base)
		roles := "urn:zitadel:iam:org:project:" + p.Settings()["AVATARD_AUDIENCE"] + ":roles"
		odd, broken, known := p.mint(t, managerID), p.mint(t, managerID), p.mint(t, managerID)
		everybody := func(when, token string) {
			for form, got := range caller.removeInAllForms(t, token, devidp.UserBob) {
				if got.Code != success {
					t.Errorf("%s, %s, %s: a bystander: %v %s", source, when, form, got.Code, got.Message)
				}
			}
		}
		everybody("before", known)
		p.follow(script{
			introspect: map[string]map[string]any{odd: {roles: map[string]any{"ORG_OWNER": map[string]any{"org1": nil}}}},
			statuses:   map[string]int{broken: http.StatusInternalServerError},
		})
		for range 10 {
			for form, got := range caller.removeInAllForms(t, broken, devidp.UserAlice) {
				wantUnavailable(t, source+", "+string(form), got, p, broken)
			}
			for form, got := range caller.removeInAllForms(t, odd, devidp.UserBob) { // roles of the token play no part with zitadel
				if source == "claims" {
					wantUnavailable(t, source+", "+string(form), got, p, odd)
				} else if got.Code != success {
					t.Errorf("%s, %s: an odd role claim: %v %s", source, form, got.Code, got.Message)
				}
			}
		}
		everybody("known", known)
		everybody("fresh", p.mint(t, managerID))
		p.follow(script{permissions: http.StatusInternalServerError})
		caller.removeInAllForms(t, odd, devidp.UserAlice)
		p.Misbehave("", nil)
		everybody("after a question for permissions has failed", p.mint(t, managerID))
		caller.Close()
		srv.stop()
	}
}

// A provider that calls every token inactive while its discovery document fails signs nobody out.
func TestInactiveWhileBroken(t *testing.T) {
	v := startRevocation(t)
	v.want("a good token", success)
	v.provider.follow(script{down: true})
	v.clock.Advance(5 * time.Second)
	v.want("down, with nothing to believe", connect.CodeUnavailable)
	v.provider.Misbehave("", nil)
	v.clock.Advance(time.Second)
	v.want("well again", success)
	v.revoke()
	v.clock.Advance(5 * time.Second)
	v.want("revoked at a provider that is well", connect.CodeUnauthenticated)
}

// A token that the provider rejects while it answers about others is a bad one, and the log says so.
func TestRejectedToken(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized} {
		p := newProvider(t, nil)
		dir := filepath.Join(t.TempDir(), "data")
		registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
		srv, base := startServe(t, p.Settings(), dir)
		caller := newCaller(t, base)
		token, form := p.mint(t, managerID), client.REST
		p.follow(script{statuses: map[string]int{token: status}})
		wantUnavailable(t, "nobody else was asked about", caller.remove(t, form, token, devidp.UserAlice), p, token)
		if got := caller.remove(t, form, p.mint(t, managerID), devidp.UserBob); got.Code != success {
			t.Errorf("%d: a bystander: %v %s", status, got.Code, got.Message)
		}
		if got := caller.remove(t, form, token, devidp.UserAlice); got.Code != connect.CodeUnauthenticated || !strings.HasSuffix(got.Message, "(AUTH-7fs1e)") {
			t.Errorf("%d: the token: %v %s, want that it is no good", status, got.Code, got.Message)
		}
		caller.Close()
		srv.stop()
		if log := srv.out.String(); !strings.Contains(log, `reason=rejected`) || strings.Contains(log, token) {
			t.Errorf("%d: the log:\n%s", status, log)
		}
	}
}
