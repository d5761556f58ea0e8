//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/server/picture"
)

// zitadelUser is one of a ZITADEL that answers as its public definitions say: proto/zitadel/user/v2 (ListUsers, HumanProfile.avatar_url), and pictures
// below /assets/v1/{organisation}/users/{user}/avatar. No real one was run.
type zitadelUser struct {
	id, owner, avatarURL string
	picture              []byte
}

const zitadelToken = "token-of-an-administrator"

func startZitadel(t *testing.T, users []zitadelUser) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/users", func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Query struct {
				Offset string
				Limit  int
			}
			Queries []struct {
				OrganizationIDQuery struct{ OrganizationID string }
				TypeQuery           struct{ Type string }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.Header.Get("Authorization") != "Bearer "+zitadelToken || len(req.Queries) != 2 ||
			req.Queries[1].TypeQuery.Type != "TYPE_HUMAN" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":16,"message":"auth header missing"}`)
			return
		}
		offset, _ := strconv.Atoi(req.Query.Offset)
		var result []any
		for _, u := range users[min(offset, len(users)):min(offset+req.Query.Limit, len(users))] {
			result = append(result, map[string]any{"userId": u.id, "details": map[string]string{"resourceOwner": u.owner, "sequence": "2"}, "state": "USER_STATE_ACTIVE",
				"human": map[string]any{"profile": map[string]string{"givenName": "A", "avatarUrl": u.avatarURL}}})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"details": map[string]string{"totalResult": fmt.Sprint(len(users))}, "result": result})
	})
	mux.HandleFunc("GET /assets/v1/{org}/users/{user}/avatar", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was sent along for a public picture")
		}
		for _, u := range users {
			if u.id == r.PathValue("user") && u.picture != nil {
				_, _ = w.Write(u.picture)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

// The pictures that a ZITADEL has for an organisation's people are put, and read back; nothing is fetched from elsewhere.
func TestImportFromZitadel(t *testing.T) {
	t.Parallel()
	data, home := t.TempDir(), t.TempDir()
	_, env := startDev(t, "--data", data)
	acme := env["ORG_ACME"]
	at := func(user string) string {
		return "https://zitadel.example/assets/v1/" + acme + "/users/" + user + "/avatar?v=1"
	}
	users := []zitadelUser{
		{env["USER_BOB"], acme, at(env["USER_BOB"]), picture.Sample(1, 2000)},
		{env["USER_ERIN"], acme, "", nil},
		{"elsewhere", acme, "https://pictures.example/me.png", nil},
		{"climber", acme, "https://zitadel.example/assets/v1/" + acme + "/../x", nil},
		{"lost", acme, at("lost"), nil},
		{"stranger", env["ORG_GLOBEX"], at("stranger"), picture.Sample(2, 2000)},
		{"text", acme, at("text"), []byte("text")},
	}
	for n := range 120 { // a second page
		users = append(users, zitadelUser{fmt.Sprintf("without-%d", n), acme, "", nil})
	}
	users = append(users, zitadelUser{"late", acme, at("late"), picture.Sample(3, 2000)})
	zitadel := startZitadel(t, users)
	token := filepath.Join(home, "token")
	if err := os.WriteFile(token, []byte(zitadelToken), 0o600); err != nil {
		t.Fatal(err)
	}
	im := &importing{t: t, environ: []string{"AVATARD_URL=" + env["AVATARD_URL"], "AVATARD_TOKEN=" + env["TOKEN_MANAGER"], "HOME=" + home},
		args: []string{"--org", acme, "--from-zitadel", zitadel.URL, "--zitadel-token-file", token, "--register", "--data", data}}
	reasons, sum := im.run(1)
	im.want("first", sum, bulkimport.Summary{Items: 7, Imported: 2, Refused: 4, Failed: 1})
	for user, want := range map[string]bulkimport.Reason{"elsewhere": "picture", "climber": "picture", "lost": "failed", "stranger": "user", "text": "picture"} {
		if reasons[user] != want {
			t.Errorf("%s is refused for %q, want %q", user, reasons[user], want)
		}
	}
	wantStatus(t, 200, "GET", avatarURL(env, "ORG_ACME", "USER_BOB"), "")
	wantStatus(t, 200, "GET", env["AVATARD_URL"]+"/assets/v1/"+acme+"/users/late/avatar", "")
	_, sum = im.run(1)
	im.want("again", sum, bulkimport.Summary{Items: 7, Before: 2, Refused: 4, Failed: 1})

	for _, row := range []struct {
		args string
		code int
		text string
	}{
		{"--from-zitadel " + zitadel.URL, 5, "answered 401"}, // with the token that is for avatard
		{"--from-zitadel http://127.0.0.1:1", 8, "does not answer"},
		{"--from-zitadel http://zitadel.example", 2, "cleartext"},
		{"", 2, "where from?"},
		{home + " --from-zitadel " + zitadel.URL, 2, "where from?"},
	} {
		out, errOut, code := callCommand(t, im.environ, nil, append([]string{"import", "--org", acme}, strings.Fields(row.args)...)...)
		if code != row.code || !strings.Contains(errOut, row.text) || strings.Contains(out+errOut, env["TOKEN_MANAGER"]) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", row.args, code, row.code, row.text, out, errOut)
		}
	}
}
