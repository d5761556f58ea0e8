package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/storage"
)

// orgStore knows two organisations and notes which one is acted on.
type orgStore struct {
	instantStore
	acted []string
}

func (*orgStore) HasOrganization(_ context.Context, org string) (bool, error) {
	return org == acme || org == globex, nil
}

func (s *orgStore) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	s.acted = append(s.acted, rm.Organization)
	return s.instantStore.Remove(ctx, rm)
}

func (*orgStore) RecordRefusal(storage.Refusal) {}

// FuzzOrganizationHeader sends two organisation headers, as HTTP/2 delivers them, and one under the name that counts
// over REST only. The call acts on the one organisation that they name, on the caller's own where they name none, and
// on nothing otherwise.
func FuzzOrganizationHeader(f *testing.F) {
	for _, seed := range [][3]string{
		{"", "", ""}, {acme, "", ""}, {globex, globex, globex}, {" " + globex + "\t", "\t", acme}, {acme, globex, ""}, {globex + ", " + globex, "", ""},
		{globex + "\x00", "", ""}, {"\u00a0" + globex, "", ""}, {globex + "\n", "", ""}, {"", "", " " + globex}, {"ACME", "", "\xff"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	store := new(orgStore)
	s, err := New(Config{Store: store, Issuer: issuer, Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy())})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, one, two, rest string) {
		for _, form := range []form{formREST, formConnect} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/management/v1/users/"+alice+"/avatar", nil)
			sent := []string{one, two}
			if form == formREST {
				sent = append(sent, rest)
			} else {
				req = httptest.NewRequestWithContext(t.Context(), http.MethodPost, removeProcedure, strings.NewReader(`{"userId":"`+alice+`"}`))
				req.Header.Set("Content-Type", "application/json")
			}
			req.Header["Authorization"] = []string{"Bearer admin-token-1"}
			req.Header["X-Zitadel-Orgid"] = []string{one, two}
			req.Header["Grpc-Metadata-X-Zitadel-Orgid"] = []string{rest}
			var named []string
			for _, value := range sent {
				if value = strings.Trim(value, " \t"); value != "" {
					named = append(named, value)
				}
			}
			slices.Sort(named)
			named = slices.Compact(named)
			status, want := http.StatusForbidden, []string(nil)
			switch {
			case len(named) == 0:
				status, want = http.StatusOK, []string{acme}
			case len(named) == 1 && (named[0] == acme || named[0] == globex):
				status, want = http.StatusOK, named
			}
			rec := httptest.NewRecorder()
			store.acted = nil
			s.Handler().ServeHTTP(rec, req)
			if rec.Code != status || !slices.Equal(store.acted, want) {
				t.Errorf("%s, %q: %d, acted on %q; want %d, %q", form, sent, rec.Code, store.acted, status, want)
			}
			if status != http.StatusOK && !strings.Contains(rec.Body.String(), "AUTH-Bs7Ds") {
				t.Errorf("%s, %q: %s", form, sent, rec.Body)
			}
		}
	})
}
