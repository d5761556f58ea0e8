package server

import (
	"net/http"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
)

// The organisation header counts for nothing on own calls, whatever its value: clients set it once for all their calls. The call is about
// the caller's own picture, in their own organisation.
func TestOwnCallsIgnoreTheOrganizationHeader(t *testing.T) {
	f := start(t, nil)
	const own = "/assets/v1/users/me/avatar"
	for name, orgs := range map[string][]string{
		"another organisation":  {"X-Zitadel-Orgid", globex},
		"under the REST name":   {"Grpc-Metadata-X-Zitadel-Orgid", globex},
		"one that is not known": {"X-Zitadel-Orgid", "1"},
		"two":                   {"X-Zitadel-Orgid", globex, "X-Zitadel-Orgid", "1"},
		"no text":               {"X-Zitadel-Orgid", "a\xffb"},
		"one's own":             {"X-Zitadel-Orgid", acme},
	} {
		headers := bearer("alice-token-1", orgs...)
		form, media := formOf("file", picture.Sample(3, 900))
		res, body := f.do(t, http.MethodPost, own, form, append(headers, "Content-Type", media)...)
		if res.StatusCode != http.StatusOK || !strings.Contains(body, `"resourceOwner":"`+acme+`"`) {
			t.Errorf("%s: upload: %d %s, want 200 in the caller's organisation", name, res.StatusCode, body)
		}
		if res, _ := f.do(t, http.MethodGet, own, nil, headers...); res.StatusCode != http.StatusOK {
			t.Errorf("%s: read: %d, want 200", name, res.StatusCode)
		}
		for _, form := range client.Forms() {
			if strings.Contains(strings.Join(orgs, ""), "\xff") && form != client.REST {
				continue // clients of the other forms do not send it
			}
			f.give(t, alice, acme)
			got := f.remove(t, form, query{own: true, headers: headers})
			if got.Code != 0 || got.Details.GetResourceOwner() != acme || f.has(t, alice, acme) {
				t.Errorf("%s, %s: delete: %+v, want it done in the caller's organisation", name, form, got)
			}
		}
	}
	// A new caller is registered where the token says, not where the header does.
	form, media := formOf("file", picture.Sample(3, 900))
	res, body := f.do(t, http.MethodPost, own, form, bearer("new-token-1", "X-Zitadel-Orgid", globex, "Content-Type", media)...)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"resourceOwner":"`+acme+`"`) {
		t.Errorf("a new caller's upload: %d %s, want 200 in %s", res.StatusCode, body, acme)
	}
	if !f.has(t, carol, globex) {
		t.Error("a call on one's own picture removed somebody else's")
	}
}
