package authz

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/avatard/authz/authztest"
)

// goodUser knows one token, whose caller may read the users of acme. It answers as if it did not look at the organisation of a user.
func (p *testProvider) goodUser(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, body string) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken || p.isRevoked() {
		refuse(http.StatusUnauthorized, `{"code":16,"message":"`+testSecret+`","details":[{"id":"AUTH-7fs1e"}]}`)
		return
	}
	switch r.Header.Get("X-Zitadel-Orgid") {
	case "acme":
	case "globex":
		refuse(http.StatusForbidden, `{"code":7,"details":[{"id":"AUTH-AWfge"}]}`)
		return
	case "initech":
		refuse(http.StatusNotFound, `{"code":5,"message":"membership not found (AUTHZ-cdgFk)","details":[{"id":"AUTHZ-cdgFk"}]}`)
		return
	default:
		refuse(http.StatusForbidden, `{"code":7,"details":[{"id":"AUTH-Bs7Ds"}]}`)
		return
	}
	id := r.PathValue("id")
	answer := map[string]string{
		"bob":     userAnswer("bob", "acme", `"state":"USER_STATE_ACTIVE","human":{"profile":{}}`),
		"b|o b%.": userAnswer("b|o b%.", "acme", `"state":"USER_STATE_LOCKED","human":{}`),
		"carol":   userAnswer("carol", "globex", `"state":"USER_STATE_ACTIVE","human":{}`),
		"robot":   userAnswer("robot", "acme", `"state":"USER_STATE_ACTIVE","machine":{"name":"r"}`),
		"nobody":  userAnswer("nobody", "acme", `"state":"USER_STATE_ACTIVE","human":null`),
		"deleted": userAnswer("deleted", "acme", `"state":"USER_STATE_DELETED","human":{}`),
		"unset":   userAnswer("unset", "acme", `"state":"USER_STATE_UNSPECIFIED","human":{}`),
		"vague":   userAnswer("vague", "acme", `"human":{}`),
	}[id]
	if answer == "" {
		refuse(http.StatusNotFound, `{"code":5,"message":"User could not be found (QUERY-Dfbg2)","details":[{"id":"QUERY-Dfbg2"}]}`)
		return
	}
	io.WriteString(w, answer)
}

// userAnswer is how the provider describes a user.
func userAnswer(id, org, members string) string {
	return `{"user":{"id":"` + id + `","details":{"sequence":"7","resourceOwner":"` + org + `"},` + members + `}}`
}

// users returns a directory that asks p, and who asks.
func (p *testProvider) users(t *testing.T, change func(*IntrospectionConfig)) (*ProviderUsers, Identity) {
	t.Helper()
	in := p.introspector(t, func(cfg *IntrospectionConfig) {
		if cfg.CarryToken = true; change != nil {
			change(cfg)
		}
	})
	users, err := NewProviderUsers(in)
	if err != nil {
		t.Fatal(err)
	}
	return users, Identity{Subject: "alice", Credential: NewCredential(testToken)}
}

func TestUsersOfTheProvider(t *testing.T) {
	p := startProvider(t)
	users, caller := p.users(t, nil)
	for _, row := range []struct {
		org, user string
		want      bool
		err       error
		asked     int64
	}{
		{"acme", "bob", true, nil, 1},
		{"acme", "b|o b%.", true, nil, 1},
		{"acme", "dave", false, nil, 1},
		{"acme", "carol", false, nil, 1}, // whose organisation is another one
		{"acme", "robot", false, nil, 1},
		{"acme", "nobody", false, nil, 1},
		{"acme", "deleted", false, nil, 1},
		{"acme", "unset", false, nil, 1},
		{"acme", "vague", false, nil, 1},
		{"hooli", "bob", false, nil, 1}, // an organisation that there is not
		{"globex", "bob", false, ErrForbidden, 1},
		{"initech", "bob", false, ErrForbidden, 1},
		// These could be taken for something else on the way.
		{" acme", "bob", false, nil, 0},
		{"acme\n", "bob", false, nil, 0},
		{"acme", ".", false, nil, 0},
		{"acme", "..", false, nil, 0},
		{"acme", "bob/profile", false, nil, 0},
		{"acme", `..\bob`, false, nil, 0},
		{"acme", "", false, nil, 0},
	} {
		before := p.Requests("")
		if there, err := users.HasUser(t.Context(), caller, row.org, row.user); there != row.want || !errors.Is(err, row.err) {
			t.Errorf("HasUser(%q, %q) = %v, %v, want %v, %v", row.org, row.user, there, err, row.want, row.err)
		}
		if asked := p.Requests("") - before; asked != row.asked {
			t.Errorf("HasUser(%q, %q): %d questions, want %d", row.org, row.user, asked, row.asked)
		}
	}
	if there, err := users.HasUser(t.Context(), Identity{Subject: "alice"}, "acme", "bob"); there || err == nil {
		t.Errorf("HasUser without a token = %v, %v, want an error", there, err)
	}
	p.revoke()
	if there, err := users.HasUser(t.Context(), caller, "acme", "erin"); there || !errors.Is(err, ErrInvalidToken) {
		t.Errorf("HasUser with a token that has ended = %v, %v, want %v", there, err, ErrInvalidToken)
	}
	if _, err := NewProviderUsers(p.introspector(t, nil)); err == nil {
		t.Error("a directory is made without tokens to ask with")
	}
}

// Many callers with one question share it, and no answer counts for longer than a second: somebody may be added or deleted at any moment.
func TestUserAnswersAreShortLived(t *testing.T) {
	p := startProvider(t)
	now := time.Unix(testNow, 0)
	users, caller := p.users(t, func(cfg *IntrospectionConfig) {
		cfg.CacheTTL, cfg.Now = time.Minute, func() time.Time { return now }
	})
	for _, user := range []string{"bob", "dave"} {
		var wait sync.WaitGroup
		before := p.Requests("/users/" + user)
		for range 50 {
			wait.Go(func() {
				if there, err := users.HasUser(context.Background(), caller, "acme", user); there != (user == "bob") || err != nil {
					t.Errorf("HasUser = %v, %v", there, err)
				}
			})
		}
		wait.Wait()
		if n := p.Requests("/users/"+user) - before; n != 1 {
			t.Errorf("%s: %d questions of 50 callers, want 1", user, n)
		}
		now = now.Add(maxRefusedTTL)
		if _, err := users.HasUser(t.Context(), caller, "acme", user); err != nil || p.Requests("/users/"+user)-before != 2 {
			t.Errorf("%s: a second later: %v, %d questions, want 2", user, err, p.Requests("/users/"+user)-before)
		}
	}
}

// Whatever goes wrong is ErrUnavailable, finds nobody, shows nothing of what was said, and passes by itself.
func TestUserFaults(t *testing.T) {
	p := startProvider(t)
	faults := p.faults()
	answer := func(status int, body string) http.HandlerFunc {
		return authztest.Reply(status, "application/json", body)
	}
	maps.Copy(faults, map[string]http.HandlerFunc{
		"401 of somebody on the way":  answer(401, `<html>`+testSecret),
		"403 of somebody on the way":  answer(403, `{"error":"forbidden"}`),
		"404 of somebody on the way":  answer(404, `{"error":"`+testSecret+`"}`),
		"404 of a route":              answer(404, `{"code":5,"message":"Not Found","details":[]}`),
		"404 of another code":         answer(404, `{"code":7,"details":[{"id":"QUERY-Dfbg2"}]}`),
		"200 with a 404":              answer(200, `{"code":5,"details":[{"id":"QUERY-Dfbg2"}]}`),
		"another user":                answer(200, userAnswer("erin", "acme", `"state":"USER_STATE_ACTIVE","human":{}`)),
		"a user of no organisation":   answer(200, `{"user":{"id":"bob","state":"USER_STATE_ACTIVE","human":{}}}`),
		"an organisation cut off":     answer(200, userAnswer("bob", `a\ud800`, `"state":"USER_STATE_ACTIVE","human":{}`)),
		"a state that is a number":    answer(200, userAnswer("bob", "acme", `"state":1,"human":{}`)),
		"a person who is a text":      answer(200, userAnswer("bob", "acme", `"state":"USER_STATE_ACTIVE","human":"yes"`)),
		"two states":                  answer(200, userAnswer("bob", "acme", `"state":"USER_STATE_DELETED","state":"USER_STATE_ACTIVE","human":{}`)),
		"the user in other letters":   answer(200, strings.Replace(userAnswer("bob", "acme", `"human":{}`), "user", "User", 1)),
		"no user":                     answer(200, `{}`),
		"a user who is somebody else": answer(200, strings.Replace(userAnswer("bob", "acme", `"state":"USER_STATE_ACTIVE","human":{}`), `"id":"bob"`, `"id":null`, 1)),
	})
	for name, fault := range faults {
		users, caller := p.users(t, nil)
		p.misbehave("/users/bob", fault)
		there, err := users.HasUser(t.Context(), caller, "acme", "bob")
		if there || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) || errors.Is(err, ErrForbidden) {
			t.Errorf("%s: HasUser = %v, %v, want ErrUnavailable", name, there, err)
		}
		if text := errText(err); strings.Contains(text, testSecret) || strings.Contains(text, testToken) || !strings.Contains(text, operationUser) {
			t.Errorf("%s: error %q names a secret, or not the step", name, text)
		}
		p.misbehave("/users/bob", nil)
		if there, err := users.HasUser(t.Context(), caller, "acme", "bob"); !there || err != nil {
			t.Errorf("%s: after recovery: %v, %v", name, there, err)
		}
	}
	for _, secret := range []string{testSecret, testToken} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("%q in the log:\n%s", secret, p.log.String())
		}
	}
}
