package authz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// goodHome knows one token, which is alice's, of acme.
func (p *testProvider) goodHome(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+testToken || p.isRevoked() {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"code":16,"message":"`+testSecret+`","details":[{"id":"AUTH-7fs1e"}]}`)
		return
	}
	io.WriteString(w, `{"user":{"id":"alice","details":{"sequence":"7","resourceOwner":"acme"},"userName":"alice","human":{"profile":{}}},"lastLogin":null}`)
}

// A caller whose token does not name the organisation is asked about once, with their own token.
func TestHomeOfCallers(t *testing.T) {
	p := startProvider(t)
	p.misbehave(atIntrospect, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, claims(map[string]any{"iss": p.issuer(), organizationClaim: nil}))
	})
	for ttl, want := range map[time.Duration]int64{0: 2, testTTL: 1} {
		source, id := p.source(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
		if id.Organization != "" {
			t.Fatalf("the token names %q", id.Organization)
		}
		before := p.Requests(atHome)
		for range 2 {
			if org, err := source.Home(t.Context(), id); org != "acme" || err != nil {
				t.Errorf("ttl %v: Home = %q, %v, want acme", ttl, org, err)
			}
		}
		if n := p.Requests(atHome) - before; n != want {
			t.Errorf("ttl %v: %d questions, want %d", ttl, n, want)
		}
		ended := Identity{Subject: id.Subject, Credential: NewCredential("another-token")}
		if org, err := source.Home(t.Context(), ended); org != "" || !errors.Is(err, ErrInvalidToken) {
			t.Errorf("ttl %v: Home with a token that has ended = %q, %v", ttl, org, err)
		}
		if org, err := source.Home(t.Context(), Identity{Subject: "alice"}); org != "" || err == nil {
			t.Errorf("ttl %v: Home without a token = %q, %v, want an error", ttl, org, err)
		}
		// Nobody's organisation is somebody else's, whatever the token.
		other := Identity{Subject: "bob", Credential: id.Credential}
		if org, err := source.Home(t.Context(), other); org != "" || !errors.Is(err, ErrUnavailable) {
			t.Errorf("ttl %v: Home of another subject = %q, %v, want ErrUnavailable", ttl, org, err)
		}
	}
}

// Many callers with one token share a question.
func TestHomeIsAskedOnce(t *testing.T) {
	p := startProvider(t)
	source, id := p.source(t, nil)
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if org, err := source.Home(context.Background(), id); org != "acme" || err != nil {
				t.Errorf("Home = %q, %v", org, err)
			}
		})
	}
	wait.Wait()
	if n := p.Requests(atHome); n != 1 {
		t.Errorf("%d questions for 50 callers with one token, want 1", n)
	}
}

// Whatever goes wrong is ErrUnavailable, names no organisation, shows nothing of what was said, and passes by itself.
func TestHomeFaults(t *testing.T) {
	p := startProvider(t)
	faults := p.faults()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	user := func(id, org string) string {
		return fmt.Sprintf(`{"user":{"id":%s,"details":{"resourceOwner":%s}}}`, id, org)
	}
	maps.Copy(faults, map[string]http.HandlerFunc{
		"401 of somebody on the way": answer(401, `<html>`+testSecret),
		"403":                        answer(403, `{"error":"forbidden"}`),
		"404":                        answer(404, `{"code":5}`),
		"another user":               answer(200, user(`"bob"`, `"globex"`)),
		"a user without an id":       answer(200, `{"user":{"details":{"resourceOwner":"globex"}}}`),
		"an id that is a number":     answer(200, user(`1`, `"globex"`)),
		"an organisation of a kind":  answer(200, user(`"alice"`, `7`)),
		"an organisation cut off":    answer(200, user(`"alice"`, `"a\ud800"`)),
		"a control character":        answer(200, user(`"alice"`, `"a\u0000"`)),
		"no user":                    answer(200, `{}`),
		"no user but null":           answer(200, `{"user":null}`),
		"the user twice":             answer(200, `{"user":{"id":"alice"},"user":{"id":"alice","details":{"resourceOwner":"globex"}}}`),
	})
	for name, fault := range faults {
		source, id := p.source(t, nil)
		p.misbehave(atHome, fault)
		org, err := source.Home(t.Context(), id)
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) || org != "" {
			t.Errorf("%s: Home = %q, %v, want ErrUnavailable", name, org, err)
		}
		if text := errText(err); strings.Contains(text, testSecret) || strings.Contains(text, testToken) || !strings.Contains(text, operationHome) {
			t.Errorf("%s: error %q names a secret, or not the step", name, text)
		}
		p.misbehave(atHome, nil)
		if org, err := source.Home(t.Context(), id); org != "acme" || err != nil {
			t.Errorf("%s: after recovery: %q, %v", name, org, err)
		}
	}
	for _, secret := range []string{testSecret, testToken} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("%q in the log:\n%s", secret, p.log.String())
		}
	}
	// A user of no organisation is an answer.
	for _, body := range []string{user(`"alice"`, `null`), user(`"alice"`, `""`), `{"user":{"id":"alice"}}`} {
		source, id := p.source(t, nil)
		p.misbehave(atHome, answer(200, body))
		if org, err := source.Home(t.Context(), id); org != "" || err != nil {
			t.Errorf("%s: Home = %q, %v, want none", body, org, err)
		}
	}
}
