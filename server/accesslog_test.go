package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/storage"
)

// refusing is an authenticator that refuses every token for the reason it names: "reason" or "reason/detail".
type refusing struct{}

func (refusing) Authenticate(_ context.Context, header http.Header) (authz.Identity, error) {
	reason, detail, _ := strings.Cut(strings.TrimPrefix(header.Get("Authorization"), "Bearer "), "/")
	return authz.Identity{}, fmt.Errorf("look up: %w", authz.NewRefusedError(authz.Reason(reason), detail))
}

// Log and metrics have the reason why a token is refused; the caller gets the same answer for each.
func TestReasonsAreLogged(t *testing.T) {
	o := make(reports, 1)
	f := start(t, func(c *Config) { c.Authenticator, c.Observer = refusing{}, o })
	for _, reason := range []authz.Reason{authz.ReasonInactive, authz.ReasonAudience, authz.ReasonIssuer} {
		res, body := f.do(t, http.MethodGet, "/assets/v1/users/me/avatar", nil, bearer(string(reason)+"/more.of-it")...)
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "the token is inactive, expired, revoked or meant for somebody else (AUTH-7fs1e)") || strings.Contains(body, string(reason)+"/") {
			t.Errorf("%s: %d %s", reason, res.StatusCode, body)
		}
		if line := fmt.Sprintf("reason=%s detail=more.of-it", reason); !strings.Contains(f.log.String(), line) {
			t.Errorf("no %s in the log:\n%s", line, f.log)
		}
		if r := <-o; r.Refused != reason {
			t.Errorf("%s: the report is %+v", reason, r)
		}
	}
}

// removals is a store that keeps the callers on whose behalf something was removed.
type removals struct {
	storage.Store
	mu sync.Mutex
	by []string
}

func (r *removals) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	r.mu.Lock()
	r.by = append(r.by, rm.By.Caller)
	r.mu.Unlock()
	return r.Store.Remove(ctx, rm)
}

// A call that another party makes in a caller's place has both in the log and on record.
func TestActorsAreRecorded(t *testing.T) {
	audited := new(removals)
	f := start(t, func(c *Config) {
		audited.Store, c.Store = c.Store, audited
		who := people()
		admin := who["admin-token-1"]
		admin.Actors = []string{"mallory", "trent"}
		who["actor-token-1"] = admin
		c.Authenticator = tokens(who)
	})
	for _, token := range []string{"admin-token-1", "actor-token-1"} {
		if res, body := f.do(t, http.MethodDelete, "/management/v1/users/"+alice+"/avatar", nil, bearer(token)...); res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", token, res.StatusCode, body)
		}
	}
	const admin = "900000000000000001"
	if want := []string{admin, admin + ` (actor ["mallory" "trent"])`}; fmt.Sprint(audited.by) != fmt.Sprint(want) {
		t.Errorf("on record: %q, want %q", audited.by, want)
	}
	if log := f.log.String(); strings.Count(log, "caller="+admin) != 2 || strings.Count(log, `actor="[mallory trent]"`) != 1 {
		t.Errorf("the log:\n%s", log)
	}
}
