package authz

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The log tells people who run the server why a token is refused.
func TestReasons(t *testing.T) {
	type change = map[string]any
	long := strings.Repeat("ü", 300)
	seen := []Reason{ReasonMalformed, ReasonEnded, ReasonRejected} // their tests are elsewhere
	for _, row := range []struct {
		change change
		reason Reason
		detail string
	}{
		{change{"active": false}, ReasonInactive, ""},
		{change{"exp": nil}, ReasonNoExpiry, ""},
		{change{"exp": testNow}, ReasonExpired, ""},
		{change{"nbf": testNow + 6}, ReasonNotYetValid, ""},
		{change{"iss": "https://id.example/"}, ReasonIssuer, `the token's is "https://id.example/", ours is "https://id.example"`},
		{change{"iss": "a\x1b[31m\nb"}, ReasonIssuer, `the token's is "a\x1b[31m\nb", ours is "https://id.example"`},
		{change{"iss": long}, ReasonIssuer, `the token's is "` + strings.Repeat(`\u00fc`, 32) + `"…, ours is "https://id.example"`},
		{change{"aud": "42"}, ReasonAudience, `the token's are "42", ours is "avatars"`},
		{change{"aud": nil}, ReasonAudience, `the token's are none, ours is "avatars"`},
		{change{"aud": []string{"1", "2", "3", "4", "5", "6"}}, ReasonAudience, `the token's are "1" "2" "3" and 3 more, ours is "avatars"`},
		{change{"sub": nil}, ReasonSubject, ""},
		{change{"urn:zitadel:iam:user:resourceowner:id": "a\tb"}, ReasonOrganization, ""},
		{change{"typ": "Refresh"}, ReasonKind, `it is "Refresh" "Bearer"`},
		{change{"cnf": change{"jkt": "x"}}, ReasonBound, ""},
		{change{"client_id": nil}, ReasonNoClient, ""},
		{change{"act": change{"sub": "bob"}}, ReasonImpersonation, ""},
	} {
		seen = append(seen, row.reason)
		strict := testRules
		strict.allowPAT = false
		_, err := identify(strict, claims(row.change))
		if refused := Refused(err); refused == nil || refused.Reason != row.reason || refused.Detail != row.detail {
			t.Errorf("%v: refused for %+v, want %s, detail %s", row.change, refused, row.reason, row.detail)
		}
		if want := row.reason != ReasonImpersonation; errors.Is(err, ErrInvalidToken) != want || errors.Is(err, ErrImpersonation) == want {
			t.Errorf("%v: %v", row.change, err)
		}
	}
	for _, reason := range Reasons() {
		if !slices.Contains(seen, reason) {
			t.Errorf("no test of %s", reason)
		}
	}
	for _, values := range [][]string{{"Basic x"}, {"Bearer"}, {"Bearer a", "Bearer b"}, {"Bearer a b"}} {
		_, err := bearerToken(http.Header{"Authorization": values})
		if refused := Refused(err); !errors.Is(err, ErrMalformedToken) || refused == nil || refused.Reason != ReasonMalformed || refused.Detail == "" {
			t.Errorf("%q: %v", values, err)
		}
	}
	if err := errors.Join(ErrNoToken, ErrUnavailable); Refused(err) != nil || Refused(nil) != nil {
		t.Error("a token was refused where there was none, or no answer")
	}
}

func TestActors(t *testing.T) {
	chain := func(subjects ...string) string {
		text := "null"
		for _, subject := range slices.Backward(subjects) {
			text = `{"iss":"https://id.example","sub":"` + subject + `","act":` + text + `}`
		}
		return text
	}
	allowed := testRules
	allowed.allowImpersonation = true
	for _, row := range []struct {
		why, act string
		actors   []string
		caller   string
		refused  bool // also where impersonation is allowed
		bad      bool // the answer is malformed
	}{
		{why: "nobody", act: `null`, caller: "alice"},
		{why: "one", act: chain("bob"), actors: []string{"bob"}, caller: `alice (actor ["bob"])`},
		{why: "one for another", act: chain("bob", "carol"), actors: []string{"bob", "carol"}, caller: `alice (actor ["bob" "carol"])`},
		{why: "four", act: chain("1", "2", "3", "4"), actors: []string{"1", "2", "3", "4"}, caller: `alice (actor ["1" "2" "3" "4"])`},
		{why: "too many", act: chain("1", "2", "3", "4", "5"), refused: true},
		{why: "one without a subject", act: `{}`, refused: true},
		{why: "an inner one without a subject", act: `{"sub":"bob","act":{"iss":"x"}}`, refused: true},
		{why: "one whose subject is no id", act: chain(`a\nb`), refused: true},
		{why: "ids that are too long together", act: chain(strings.Repeat("\U0001f642", 200)), refused: true},
		{why: "a text", act: `"bob"`, bad: true},
		{why: "a list", act: `["bob"]`, bad: true},
		{why: "a subject that is a number", act: `{"sub":7}`, bad: true},
		{why: "an inner one that is a text", act: `{"sub":"bob","act":"carol"}`, bad: true},
	} {
		text := claims(map[string]any{"act": json.RawMessage(row.act)})
		for _, r := range []rules{testRules, allowed} {
			id, err := identify(r, text)
			switch {
			case row.bad:
				if !errors.Is(err, errMalformedResponse) {
					t.Errorf("%s: %v, want %v", row.why, err, errMalformedResponse)
				}
			case row.refused, row.actors != nil && !r.allowImpersonation:
				if !errors.Is(err, ErrImpersonation) || errors.Is(err, ErrInvalidToken) || id.Subject != "" {
					t.Errorf("%s, allowed %v: %+v, %v, want %v", row.why, r.allowImpersonation, id, err, ErrImpersonation)
				}
			case err != nil || !slices.Equal(id.Actors, row.actors) || id.Caller() != row.caller:
				t.Errorf("%s, allowed %v: %q, %v, want %q", row.why, r.allowImpersonation, id.Caller(), err, row.caller)
			}
		}
	}
}

// What the provider refuses in its own words when it is asked with a token is refused, and no outage.
func TestRefusedQuestions(t *testing.T) {
	p := startProvider(t)
	for _, row := range []struct {
		status int
		body   string
		want   error
	}{
		{403, `{"code":7,"message":"Impersonation not allowed (APP-Shi0J)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"APP-Shi0J"}]}`, ErrImpersonation},
		{403, `{"code":7,"details":[{"id":"AUTH-5mWD2"}]}`, ErrForbidden},
		{403, `{"code":7}`, ErrForbidden},
		{403, `{"code":7,"details":"AUTH-Bs7Ds"}`, ErrForbidden},
		{403, `{"code":7,"details":[{"id":"AUTH-Bs7Ds"}]}`, ErrUnknownOrganization},
		{401, `{"code":16}`, ErrInvalidToken},
	} {
		for _, ttl := range []time.Duration{0, testTTL} {
			source, id := p.source(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
			p.misbehave(atSearch, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				w.Write([]byte(row.body))
			})
			for range 2 * failureThreshold {
				g, err := source.Grant(t.Context(), id, "acme")
				if !errors.Is(err, row.want) || errors.Is(err, ErrUnavailable) || g.Member {
					t.Fatalf("%d %s, ttl %v: Grant = %v, %v, want %v", row.status, row.body, ttl, g, err, row.want)
				}
				if refused := Refused(err); (refused != nil) != (row.want == ErrImpersonation || row.want == ErrInvalidToken) { //nolint:errorlint // the row's own
					t.Errorf("%d %s: refused %+v", row.status, row.body, refused)
				}
			}
			p.misbehave(atSearch, nil)
		}
	}
	if strings.Contains(p.log.String(), "does not answer") {
		t.Errorf("a refusal is called an outage:\n%s", p.log.String())
	}
}
