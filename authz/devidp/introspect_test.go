package devidp

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
)

// seen is the part of an answer that a resource server decides by, as its own flat type.
type seen struct {
	Active   bool     `json:"active"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Home     string   `json:"urn:zitadel:iam:user:resourceowner:id"`
}

func TestSeededTokensThroughDiscoveryAndIntrospection(t *testing.T) {
	f := start(t)
	asker, err := rs.NewResourceServerClientCredentials(t.Context(), f.seeded.Issuer, f.seeded.Client.ID, f.seeded.Client.Secret,
		rs.WithClient(f.http))
	if err != nil {
		t.Fatalf("discovery: %v", err)
	}
	ours := []string{f.seeded.Audience}
	machine := func(login, home string) seen {
		c := f.clients[login]
		return seen{true, c.account, ours, home}
	}
	want := map[string]seen{
		"TOKEN_ADMIN":          machine("admin", OrgAcme),
		"TOKEN_MANAGER":        machine("manager", OrgAcme),
		"TOKEN_VIEWER":         machine("viewer", OrgAcme),
		"TOKEN_NOBODY":         machine("nobody", OrgAcme),
		"TOKEN_GLOBEX_OWNER":   machine("globex-owner", OrgAcme),
		"TOKEN_GLOBEX_ADMIN":   machine("globex-admin", OrgGlobex),
		"TOKEN_ALICE":          {true, UserAlice, ours, OrgAcme},
		"TOKEN_EXPIRED":        {},
		"TOKEN_REVOKED":        {},
		"TOKEN_WRONG_AUDIENCE": {},
		"TOKEN_OTHER_AUDIENCE": {true, f.clients["admin"].account, []string{f.seeded.Client.ID}, OrgAcme},
	}
	got := make(map[string]seen)
	for name, text := range f.seeded.Tokens {
		answer, err := rs.Introspect[*seen](t.Context(), asker, text)
		if err != nil {
			t.Fatalf("introspect %s: %v", name, err)
		}
		got[name] = *answer
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("introspection of the seeded tokens (-want +got):\n%s", diff)
	}
	if n := f.Introspections(); n != int64(len(want)) {
		t.Errorf("Introspections() = %d, want %d", n, len(want))
	}
}

func TestIntrospectionAnswerInFull(t *testing.T) {
	f := start(t)
	got := f.introspect(t, f.seeded.Tokens["TOKEN_GLOBEX_OWNER"])
	if id, _ := got["jti"].(string); len(id) != 22 {
		t.Errorf("jti = %v, want 22 characters", got["jti"])
	}
	delete(got, "jti")
	now := float64(f.clock.Now().Unix())
	roles := map[string]any{"ORG_OWNER": map[string]any{OrgGlobex: "globex.example"}}
	want := map[string]any{
		"active":             true,
		"iss":                f.seeded.Issuer,
		"sub":                f.clients["globex-owner"].account,
		"aud":                []any{f.seeded.Audience},
		"client_id":          "globex-owner",
		"username":           "globex-owner",
		"preferred_username": "globex-owner",
		"name":               "Owner of Globex",
		"token_type":         "Bearer",
		"scope":              "openid profile urn:zitadel:iam:user:resourceowner urn:zitadel:iam:org:project:id:" + f.seeded.Audience + ":aud",
		"iat":                now,
		"nbf":                now,
		"exp":                now + (12 * time.Hour).Seconds(),

		"urn:zitadel:iam:user:resourceowner:id":                       OrgAcme,
		"urn:zitadel:iam:user:resourceowner:name":                     "Acme",
		"urn:zitadel:iam:user:resourceowner:primary_domain":           "acme.example",
		"urn:zitadel:iam:org:project:roles":                           roles,
		"urn:zitadel:iam:org:project:" + f.seeded.Audience + ":roles": roles,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("introspection answer (-want +got):\n%s", diff)
	}

	inactive := f.introspect(t, f.seeded.Tokens["TOKEN_REVOKED"])
	if diff := cmp.Diff(map[string]any{"active": false}, inactive); diff != "" {
		t.Errorf("an inactive answer says more than that (RFC 7662 section 2.2):\n%s", diff)
	}
}

func TestWhatATokenSaysFollowsItsSpec(t *testing.T) {
	f := start(t)
	const home, client = "urn:zitadel:iam:user:resourceowner:id", "client_id"

	bare := f.introspect(t, f.mint(t, TokenSpec{Subject: UserAlice, Scopes: []string{"openid", ScopeAudience(f.seeded.Audience)}}))
	if bare["active"] != true || bare[home] != nil || bare["name"] != nil {
		t.Errorf("without the scopes for them there is no organisation and no name; got %v", bare)
	}
	alice := f.introspect(t, f.seeded.Tokens["TOKEN_ALICE"])
	if alice[client] != f.seeded.ApplicationID || alice["urn:zitadel:iam:org:project:roles"] != nil {
		t.Errorf("a person without roles gets tokens through the application; got %v", alice)
	}
	personal := f.introspect(t, f.mint(t, TokenSpec{Subject: UserAlice, Audience: []string{"elsewhere"}, Personal: true}))
	if personal["active"] != true || personal[client] != nil ||
		!slices.Contains(personal["aud"].([]any), any(f.seeded.Client.ID)) {
		t.Errorf("a personal access token names no client and is for whoever asks; got %v", personal)
	}
	if _, err := f.Mint(TokenSpec{Subject: "nobody-of-that-id"}); err == nil {
		t.Error("Mint for an unknown account succeeded")
	}
}

func TestTokenEndsWhenItsLifetimeIsOver(t *testing.T) {
	f := start(t)
	text := f.seeded.Tokens["TOKEN_ADMIN"]
	f.clock.Advance(12*time.Hour - time.Second)
	if !f.active(t, text) {
		t.Error("inactive a second before its end")
	}
	f.clock.Advance(time.Second)
	if f.active(t, text) {
		t.Error("active at its end")
	}
}

func TestOnlyTheIntrospectionClientMayAsk(t *testing.T) {
	f := start(t)
	admin, _ := f.MachineClient("admin")
	form := url.Values{"token": {f.seeded.Tokens["TOKEN_ADMIN"]}}
	for _, row := range []struct {
		about, id, secret string
		status            int
	}{
		{"no credentials", "", "", 401},
		{"wrong secret", f.seeded.Client.ID, f.seeded.Client.Secret + "x", 401},
		{"empty secret", f.seeded.Client.ID, "", 401},
		{"unknown client", "somebody", "x", 401},
		{"the public application has no secret, not even the empty one", f.seeded.ApplicationID, "", 401},
		{"a machine may ask, but is in no audience", admin.ID, admin.Secret, 200},
	} {
		a := f.post(t, "/oauth/introspect", row.id, row.secret, form)
		if a.status != row.status || strings.Contains(a.body, `"active":true`) {
			t.Errorf("%s: status %d, want %d; body %q", row.about, a.status, row.status, a.body)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.seeded.Issuer+"/oauth/introspect?"+form.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(f.seeded.Client.ID, f.seeded.Client.Secret)
	if a := f.do(t, req); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d, want 405: tokens do not belong into addresses", a.status)
	}
}

func TestTamperedTokensAreInactive(t *testing.T) {
	f := start(t)
	text := f.seeded.Tokens["TOKEN_ADMIN"]
	if !f.active(t, text) {
		t.Fatal("the token itself is inactive")
	}
	other := f.seeded.Tokens["TOKEN_VIEWER"]
	variants := []string{
		"", text[:len(text)-1], text[:len(text)-2], text[1:], text[:len(text)/2],
		text + "A", text + "=", text + "==", text + "\n", "\n" + text, text + " ", text + text, text + "." + text,
		text[:len(text)/2] + "\r\n" + text[len(text)/2:],
		text[:len(text)/2] + other[len(text)/2:],
		strings.ToUpper(text),
	}
	for i := range text {
		changed := []byte(text)
		changed[i] = next(changed[i])
		variants = append(variants, string(changed))
	}
	// Sealed properly, but id and subject are not of one token.
	id := f.introspect(t, text)["jti"].(string)
	for _, plain := range []string{id + ":" + UserBob, id + ":", id, ":" + f.clients["admin"].account, ""} {
		variant, err := f.seal.Encrypt(plain)
		if err != nil {
			t.Fatal(err)
		}
		variants = append(variants, variant)
	}
	for _, variant := range variants {
		if f.active(t, variant) {
			t.Errorf("active although tampered with: %q for %q", variant, text)
		}
	}
}

func TestSealedTextHasOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n"
	seal := start(t).seal
	for _, plain := range []string{"", "a", "ab", "abc", "0123456789abcdef:150317214593155073"} {
		text, err := seal.Encrypt(plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.Decrypt(text); err != nil || got != plain {
			t.Fatalf("Decrypt(Encrypt(%q)) = %q, %v", plain, got, err)
		}
		for i := range text {
			for _, c := range []byte(alphabet) {
				changed := []byte(text)
				changed[i] = c
				if got, err := seal.Decrypt(string(changed)); err == nil && string(changed) != text {
					t.Errorf("Decrypt(%q) = %q, want an error: the text was %q", changed, got, text)
				}
			}
		}
	}
	long := base64.RawURLEncoding.EncodeToString(make([]byte, maxSealedBytes))
	if _, err := seal.Decrypt(long); err == nil {
		t.Error("a text over the limit opened")
	}
}

// next returns another character of base64url.
func next(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[(strings.IndexByte(alphabet, c)+1)%len(alphabet)]
}
