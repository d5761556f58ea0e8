package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// strictGrants fails a test that asks about an organisation that cannot be.
type strictGrants struct {
	authz.Source
	t *testing.T
}

func (g strictGrants) Grant(ctx context.Context, caller authz.Identity, org string) (authz.Grant, error) {
	if !ids.Valid(org) {
		g.t.Errorf("rights in the organisation %.40q are asked for", org)
	}
	return g.Source.Grant(ctx, caller, org)
}

// Whatever bytes a caller sends where a route takes an id, only valid ids are decided about, recorded and logged.
func TestNothingButIDsIsRecorded(t *testing.T) {
	var told *auditedStore
	f := start(t, func(c *Config) {
		c.PublicAssets = false
		told = &auditedStore{Store: c.Store}
		c.Store = told
		c.Permissions = strictGrants{Source: c.Permissions, t: t}
	})
	bad := map[string]string{
		"no UTF-8": "%FF", "half a surrogate pair": "%ED%A0%80", "overlong": "%C0%AF", "NUL": "%00", "line feed": "a%0Ab", "C1": "%C2%85",
		"empty": "", "too long": strings.Repeat("x", 20_000), "a little too long": strings.Repeat("x", 201), "too many bytes": strings.Repeat("%F0%9F%98%80", 201),
	}
	requests := 0
	for title, id := range bad {
		for _, path := range []string{
			"/assets/v1/" + id + "/users/x/avatar", "/assets/v1/" + acme + "/users/" + id + "/avatar", "/assets/v1/" + id + "/users/" + id + "/avatar",
		} {
			for _, token := range []string{"nobody-token-1", "admin-token-1", "homeless-token-1"} {
				res, body := f.do(t, http.MethodGet, path, nil, bearer(token)...)
				if res.StatusCode != http.StatusNotFound || body != `{"code":5,"message":"no picture"}` {
					t.Errorf("%s, %s, GET %.60s: %d %s", title, token, path, res.StatusCode, body)
				}
				requests++
			}
			if res, _ := f.do(t, http.MethodGet, path, nil); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d", title, res.StatusCode)
			}
		}
		management := "/management/v1/users/" + id + "/avatar"
		for _, token := range []string{"nobody-token-1", "admin-token-1"} {
			f.do(t, http.MethodDelete, management, nil, bearer(token)...)
			f.upload(t, management, token, nil)
			f.do(t, http.MethodDelete, "/management/v1/users/x/avatar", nil, bearer(token, "X-Request-Id", "a\xffb", "Grpc-Metadata-X-Zitadel-Orgid", "\xff")...)
			f.do(t, http.MethodPost, "/zitadel.management.v1.ManagementService/RemoveHumanAvatar", strings.NewReader(fmt.Sprintf(`{"userId":%q}`, id)),
				bearer(token, "Content-Type", "application/json", "X-Zitadel-Orgid", "a\xff")...)
		}
	}
	f.server.refusals.flush(maxRefusalKinds)
	told.mu.Lock()
	defer told.mu.Unlock()
	if len(told.told) == 0 || requests == 0 {
		t.Fatal("nothing was recorded at all")
	}
	for _, r := range told.told {
		for _, id := range []string{r.Organization, r.Target, r.Action, r.Reason} {
			if id != "" && !storage.ValidText(id) {
				t.Errorf("recorded: %.80q", id)
			}
		}
		if !r.By.Valid() {
			t.Errorf("recorded: %.200q", fmt.Sprint(r.By))
		}
	}
	for line := range strings.Lines(f.log.String()) {
		if len(line) > 2048 || strings.ContainsAny(line, "\x00\ufffd") || strings.Contains(line, `\x`) {
			t.Errorf("logged: %.200q", line)
		}
	}
}
