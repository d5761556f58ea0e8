package e2e

import (
	"io"
	"net/http"
	"testing"
	"time"

	"example.org/avatard/authz/authztest"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// faultyProvider is the development provider on a port of its own, which fails as a test chooses.
type faultyProvider struct{ *authztest.Provider }

// newProvider starts a provider that is well. now is its clock, nil = time.Now.
func newProvider(t *testing.T, now func() time.Time) *faultyProvider {
	t.Helper()
	return &faultyProvider{authztest.New(t, now)}
}

// mint makes a token of its own, so that nobody has asked about it before.
func (p *faultyProvider) mint(t *testing.T, subject string) string {
	t.Helper()
	token, err := p.Mint(devidp.TokenSpec{Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const managerID = authztest.ManagerID

// spill returns what a provider in trouble may repeat of a request: the token and the client secret.
func spill(r *http.Request) string {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	return r.Header.Get("Authorization") + " " + string(body)
}

// registerWithPicture registers users of acme in a data directory that nobody serves, the first with a picture,
// and returns what is stored of it.
func registerWithPicture(t *testing.T, dir, issuer string, users ...string) []byte {
	t.Helper()
	store := openStore(t, dir)
	defer store.Close()
	for _, user := range users {
		if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: issuer, ID: user}, devidp.OrgAcme, admin.CommandLine); err != nil {
			t.Fatal(err)
		}
	}
	stored := storage.Picture{Format: storage.PNG, Data: picture.Sample(1, 3000)}
	if _, err := store.Put(t.Context(), storage.Upload{User: storage.UserKey{Issuer: issuer, ID: users[0]}, Organization: devidp.OrgAcme,
		Picture: stored, By: admin.CommandLine}); err != nil {
		t.Fatal(err)
	}
	return stored.Data
}
