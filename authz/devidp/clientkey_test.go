package devidp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	oidcclient "github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
)

// keyFile is the part of a key file that a client needs.
type keyFile struct {
	KeyID, Key, ClientID string
}

func (f *fixture) newKey(t *testing.T) keyFile {
	t.Helper()
	text, err := f.NewClientKey()
	if err != nil {
		t.Fatal(err)
	}
	var k keyFile
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestIntrospectionWithAKey(t *testing.T) {
	f := start(t)
	key, other := f.newKey(t), f.newKey(t)
	introspect := func(k keyFile) (seen, error) {
		asker, err := rs.NewResourceServerJWTProfile(t.Context(), f.seeded.Issuer, k.ClientID, k.KeyID, []byte(k.Key), rs.WithClient(f.http))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := rs.Introspect[*seen](t.Context(), asker, f.seeded.Tokens["TOKEN_ADMIN"])
		if err != nil {
			return seen{}, err
		}
		return *answer, nil
	}
	for _, good := range []keyFile{key, other} {
		if got, err := introspect(good); err != nil || !got.Active {
			t.Errorf("introspection with a key: %+v, %v", got, err)
		}
	}
	if !f.active(t, f.seeded.Tokens["TOKEN_ADMIN"]) {
		t.Error("the secret is no longer good beside a key")
	}
	for about, bad := range map[string]keyFile{
		"the id of another key": {KeyID: other.KeyID, Key: key.Key, ClientID: key.ClientID},
		"an unknown key id":     {KeyID: "x", Key: key.Key, ClientID: key.ClientID},
		"a machine has no keys": {KeyID: key.KeyID, Key: key.Key, ClientID: "admin"},
		"an unknown client":     {KeyID: key.KeyID, Key: key.Key, ClientID: "x"},
	} {
		if got, err := introspect(bad); err == nil {
			t.Errorf("%s: introspection says %+v", about, got)
		}
	}
	if keys := f.get(t, f.seeded.Issuer+"/keys"); strings.Contains(keys.body, key.KeyID) {
		t.Error("a client's key is among those of the provider")
	}
}

func TestClientKeysAreBounded(t *testing.T) {
	f := start(t)
	for range maxClientKeys {
		f.newKey(t)
	}
	if _, err := f.NewClientKey(); err == nil {
		t.Errorf("more than %d keys", maxClientKeys)
	}
	if _, err := f.store.GetKeyByIDAndClientID(t.Context(), "x", f.seeded.Client.ID); err == nil {
		t.Error("an unknown key was found")
	}
}

// An assertion that is signed with a client's key has to be for this provider and not expired. It authenticates the client and does not
// give it tokens.
func TestAssertionsWithAKey(t *testing.T) {
	f := start(t)
	key := f.newKey(t)
	signer, err := oidcclient.NewSignerFromPrivateKeyByte([]byte(key.Key), key.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	for about, form := range map[string]struct {
		audience string
		life     time.Duration
	}{"for another provider": {"https://id.example", time.Hour}, "expired": {f.seeded.Issuer, -time.Minute}} {
		assertion, err := oidcclient.SignedJWTProfileAssertion(key.ClientID, []string{form.audience}, form.life, signer)
		if err != nil {
			t.Fatal(err)
		}
		a := f.post(t, "/oauth/introspect", "", "", url.Values{"token": {f.seeded.Tokens["TOKEN_ADMIN"]},
			"client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
		if a.status != http.StatusUnauthorized {
			t.Errorf("an assertion %s: status %d, body %q", about, a.status, a.body)
		}
	}
	assertion, err := oidcclient.SignedJWTProfileAssertion(key.ClientID, []string{f.seeded.Issuer}, time.Hour, signer)
	if err != nil {
		t.Fatal(err)
	}
	a := f.post(t, "/oauth/token", "", "", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}, "scope": {"openid"}})
	if a.status < 400 || strings.Contains(a.body, "access_token") {
		t.Errorf("a token for a key: status %d, body %q", a.status, a.body)
	}
}
