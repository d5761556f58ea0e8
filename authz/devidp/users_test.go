package devidp

import (
	"net/http"
	"strings"
	"testing"
)

// Users are shown to those who may read them in their organisation, and in no other.
func TestUsers(t *testing.T) {
	f := start(t)
	const machine = "150317214593155202"
	for _, row := range []struct {
		token, org, user string
		status           int
		want             string
	}{
		{"TOKEN_MANAGER", "", UserBob, 200, `"human":{},"id":"` + UserBob + `","state":"USER_STATE_ACTIVE"`},
		{"TOKEN_ADMIN", OrgGlobex, UserCarol, 200, `"resourceOwner":"` + OrgGlobex + `"`},
		{"TOKEN_VIEWER", OrgAcme, machine, 200, `"machine":{}`},
		{"TOKEN_MANAGER", "", UserCarol, 404, "QUERY-Dfbg2"},
		{"TOKEN_ADMIN", OrgAcme, UserCarol, 404, "QUERY-Dfbg2"},
		{"TOKEN_MANAGER", "", "1", 404, "QUERY-Dfbg2"},
		{"TOKEN_NOBODY", "", UserBob, 404, "AUTHZ-cdgFk"},
		{"TOKEN_MANAGER", OrgGlobex, UserCarol, 404, "AUTHZ-cdgFk"},
		{"TOKEN_ADMIN", "1", UserBob, 403, "AUTH-Bs7Ds"},
		{"TOKEN_EXPIRED", "", UserBob, 401, "AUTH-7fs1e"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.seeded.Issuer+"/management/v1/users/"+row.user, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+f.seeded.Tokens[row.token])
		req.Header.Set("X-Zitadel-Orgid", row.org)
		if got := f.do(t, req); got.status != row.status || !strings.Contains(got.body, row.want) {
			t.Errorf("%s in %q, %s: %d %s, want %d with %s", row.token, row.org, row.user, got.status, got.body, row.status, row.want)
		}
	}
}
