package devidp

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// search asks what the bearer of a token may do.
func (f *fixture) search(t *testing.T, token string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.seeded.Issuer+permissionsPath, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return f.do(t, req)
}

func TestPermissions(t *testing.T) {
	f := start(t)
	const (
		all  = "org.delete org.read user.delete user.read user.write"
		iam  = "iam.read " + all
		some = "org.read user.delete user.read user.write"
	)
	for _, row := range []struct{ token, org, want string }{
		{"TOKEN_ADMIN", "", iam}, {"TOKEN_ADMIN", OrgAcme, iam}, {"TOKEN_ADMIN", OrgInitech, iam},
		{"TOKEN_MANAGER", "", some}, {"TOKEN_MANAGER", OrgGlobex, ""},
		{"TOKEN_VIEWER", "  ", "org.read user.read"},
		{"TOKEN_NOBODY", "", ""}, {"TOKEN_ALICE", OrgAcme, ""},
		{"TOKEN_GLOBEX_OWNER", "", ""}, {"TOKEN_GLOBEX_OWNER", " " + OrgGlobex + " ", all},
		{"TOKEN_GLOBEX_ADMIN", "", all}, {"TOKEN_GLOBEX_ADMIN", OrgAcme, ""},
	} {
		got := f.search(t, f.seeded.Tokens[row.token], "X-Zitadel-Orgid", row.org)
		want := map[string]any{}
		if row.want != "" {
			var list []any
			for name := range strings.FieldsSeq(row.want) {
				list = append(list, name)
			}
			want["result"] = list
		}
		if diff := cmp.Diff(want, decode(t, got.body)); got.status != http.StatusOK || diff != "" {
			t.Errorf("%s in %q: status %d (-want +got):\n%s", row.token, row.org, got.status, diff)
		}
	}
	for _, row := range []struct {
		about  string
		got    answer
		status int
		code   float64
		id     string
	}{
		{"an organisation that is not there", f.search(t, f.seeded.Tokens["TOKEN_ADMIN"], "X-Zitadel-Orgid", "1"), 403, 7, "AUTH-Bs7Ds"},
		{"no token", f.search(t, ""), 401, 16, "AUTH-7fs1e"},
		{"garbage", f.search(t, "garbage"), 401, 16, "AUTH-7fs1e"},
		{"a token that has expired", f.search(t, f.seeded.Tokens["TOKEN_EXPIRED"]), 401, 16, "AUTH-7fs1e"},
		{"a token that was revoked", f.search(t, f.seeded.Tokens["TOKEN_REVOKED"]), 401, 16, "AUTH-7fs1e"},
		{"two tokens", f.search(t, f.seeded.Tokens["TOKEN_ADMIN"], "Authorization", "Bearer x"), 401, 16, "AUTH-7fs1e"},
		{"the token comes before the organisation", f.search(t, "garbage", "X-Zitadel-Orgid", "1"), 401, 16, "AUTH-7fs1e"},
	} {
		body := decode(t, row.got.body)
		details, _ := body["details"].([]any)
		if len(details) != 1 || row.got.status != row.status || body["code"] != row.code || details[0].(map[string]any)["id"] != row.id {
			t.Errorf("%s: status %d, body %s, want %d with code %v and %s", row.about, row.got.status, row.got.body, row.status, row.code, row.id)
		}
	}
}
