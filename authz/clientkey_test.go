package authz

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

func pemOf(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func keyFile(t *testing.T, id, key, clientID string) []byte {
	t.Helper()
	file, err := json.Marshal(map[string]string{"type": "application", "keyId": id, "key": key, "appId": "1", "clientId": clientID})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestClientKeys(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := pemOf(t, p256)
	for _, row := range []struct {
		why  string
		file []byte
		want string // in the error, "" = none
	}{
		{"ECDSA on P-256", keyFile(t, "1", good, "client"), ""},
		{"Ed25519", keyFile(t, "1", pemOf(t, edwards), "client"), ""},
		{"a file that names no client", keyFile(t, "1", good, ""), ""},
		{"a key that its algorithm cannot sign with", keyFile(t, "1", pemOf(t, p384), "client"), "cannot sign"},
		{"no key id", keyFile(t, "", good, "client"), "keyId"},
		{"no key", keyFile(t, "1", "", "client"), "needs keyId and key"},
		{"no PEM", keyFile(t, "1", testSecret, "client"), "cannot sign"},
		{"PEM around nonsense", keyFile(t, "1", string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: []byte(testSecret)})), ""), "cannot sign"},
		{"no JSON", []byte(testSecret), "no JSON"},
		{"an array", []byte(`["` + testSecret + `"]`), "no JSON"},
	} {
		key, err := ParseClientKey(row.file)
		if got := errText(err); (err == nil) != (row.want == "") || !strings.Contains(got, row.want) || strings.Contains(got, testSecret) {
			t.Errorf("%s: %v, want %q", row.why, err, row.want)
		}
		if text := fmt.Sprintf("%v %+v %#v", key, key, key); strings.Contains(text, "PRIVATE") || strings.Contains(text, testSecret) {
			t.Errorf("%s: the key prints as %s", row.why, text)
		}
	}
}

func TestSecretOrKey(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := ClientKey{ID: "1", PEM: []byte(pemOf(t, p256)), ClientID: "client"}
	for _, row := range []struct {
		why    string
		secret string
		key    ClientKey
		client string
		want   string
	}{
		{"a secret", "s", ClientKey{}, "client", ""},
		{"a key", "", key, "client", ""},
		{"neither", "", ClientKey{}, "client", "client secret or client key"},
		{"both", "s", key, "client", "not both"},
		{"a key of another client", "", key, "other", "another client"},
		{"a key that is none", "", ClientKey{ID: "1"}, "client", "needs keyId and key"},
	} {
		_, err := NewIntrospector(IntrospectionConfig{Issuer: "https://id.example", Audience: "a", ClientID: row.client,
			ClientSecret: row.secret, ClientKey: row.key})
		if (err == nil) != (row.want == "") || !strings.Contains(errText(err), row.want) {
			t.Errorf("%s: %v, want %q", row.why, err, row.want)
		}
	}
}
