package devidp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	verifier = "a-verifier-of-forty-three-characters-or-more-0123"
	callback = "http://127.0.0.1:40001/callback" // nobody listens; the tests read the address only
)

func (f *fixture) application(t *testing.T) rp.RelyingParty {
	t.Helper()
	scopes := []string{"openid", "profile", ScopeOrganization, ScopeAudience(f.seeded.Audience)}
	app, err := rp.NewRelyingPartyOIDC(t.Context(), f.seeded.Issuer, f.seeded.ApplicationID, "", callback, scopes,
		rp.WithHTTPClient(f.http), rp.WithVerifierOpts(rp.WithSupportedSigningAlgorithms("ES256")))
	if err != nil {
		t.Fatalf("discovery: %v", err)
	}
	return app
}

func challenge() rp.AuthURLOpt { return rp.WithCodeChallenge(oidc.NewSHACodeChallenge(verifier)) }

// location returns where a redirect goes; it must be one.
func location(t *testing.T, a answer) *url.URL {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status/100 != 3 || u.Host == "" {
		t.Fatalf("status %d, Location %q, body %q; want a redirect", a.status, a.header.Get("Location"), a.body)
	}
	return u
}

// loginForm opens the login page and returns what its form would send.
func (f *fixture) loginForm(t *testing.T, app rp.RelyingParty) (url.Values, answer) {
	t.Helper()
	page := f.get(t, location(t, f.get(t, rp.AuthURL("the-state", app, challenge()))).String())
	form := url.Values{}
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page.body, -1) {
		form.Set(field[1], field[2])
	}
	if page.status != http.StatusOK || len(form) != 2 {
		t.Fatalf("login page: status %d, body %q", page.status, page.body)
	}
	return form, page
}

// code signs alice in and returns the authorization code.
func (f *fixture) code(t *testing.T, app rp.RelyingParty) string {
	t.Helper()
	form, _ := f.loginForm(t, app)
	form.Set("user", UserAlice)
	back := location(t, f.get(t, location(t, f.post(t, "/login", "", "", form)).String()))
	if got := back.Scheme + "://" + back.Host + back.Path; got != callback || back.Query().Get("state") != "the-state" {
		t.Fatalf("sent back to %s, want %s with the state", back, callback)
	}
	return back.Query().Get("code")
}

func TestSignInWithCodeAndPKCE(t *testing.T) {
	f := start(t)
	app := f.application(t)
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), f.code(t, app), app, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatalf("exchange of the code: %v", err)
	}
	if tokens.IDTokenClaims.Subject != UserAlice || tokens.IDTokenClaims.PreferredUsername != "" {
		t.Errorf("ID token: subject %q, name %q; want alice, and her name at the userinfo endpoint only",
			tokens.IDTokenClaims.Subject, tokens.IDTokenClaims.PreferredUsername)
	}
	if tokens.RefreshToken != "" {
		t.Error("there is a refresh token, which nothing here could take")
	}
	got := f.introspect(t, tokens.AccessToken)
	if got["active"] != true || got["sub"] != UserAlice || got["client_id"] != f.seeded.ApplicationID || got[claimOrganization] != OrgAcme {
		t.Errorf("access token: %v", got)
	}
	if f.active(t, tokens.IDToken) {
		t.Error("the ID token passes as an access token")
	}
	public := url.Values{"token": {tokens.AccessToken}, "client_id": {f.seeded.ApplicationID}}
	if a := f.post(t, "/revoke", "", "", public); a.status != http.StatusOK || f.active(t, tokens.AccessToken) {
		t.Errorf("revocation by the public application: status %d", a.status)
	}
}

func TestCodeIsGoodForOneAttempt(t *testing.T) {
	f := start(t)
	app := f.application(t)
	exchange := func(code, with string) error {
		_, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), code, app, rp.WithCodeVerifier(with))
		return err
	}
	used := f.code(t, app)
	if err := exchange(used, verifier); err != nil {
		t.Fatalf("first exchange: %v", err)
	}
	if exchange(used, verifier) == nil {
		t.Error("a code was taken twice")
	}
	guessed := f.code(t, app)
	if exchange(guessed, strings.Repeat("x", 43)) == nil {
		t.Error("a wrong verifier was taken")
	}
	if exchange(guessed, verifier) == nil {
		t.Error("a code was taken after an attempt with a wrong verifier")
	}
	late := f.code(t, app)
	f.clock.Advance(signInLifetime)
	if exchange(late, verifier) == nil {
		t.Error("a code was taken after the sign-in had ended")
	}
	if exchange(f.seeded.Tokens["TOKEN_ALICE"], verifier) == nil {
		t.Error("an access token was taken for a code")
	}
}

func TestOneOfManyAttemptsAtOneCodeWins(t *testing.T) {
	f := start(t)
	app := f.application(t)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {f.code(t, app)}, "client_id": {f.seeded.ApplicationID},
		"redirect_uri": {callback}, "code_verifier": {verifier},
	}.Encode()
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, f.seeded.Issuer+"/oauth/token", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			f.Handler().ServeHTTP(w, r)
			if w.Code == http.StatusOK {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d exchanges of one code succeeded, want 1", won.Load())
	}
}

func TestLoginPage(t *testing.T) {
	f := start(t)
	f.people[1].Name = `<script>alert("bob")</script>`
	_, page := f.loginForm(t, f.application(t))
	if strings.Contains(page.body, "<script") || !strings.Contains(page.body, "&lt;script&gt;") {
		t.Errorf("names are not escaped: %s", page.body)
	}
	if strings.Count(page.body, "<button") != 5 {
		t.Errorf("want a button for each of the five people: %s", page.body)
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http:;"} {
		if !strings.Contains(policy, part) {
			t.Errorf("Content-Security-Policy %q lacks %q", policy, part)
		}
	}
	_, rest, _ := strings.Cut(page.body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("the policy %q does not allow the style %q", policy, style)
	}
	if page.header.Get("Cache-Control") != "no-store" || page.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", page.header)
	}
}

func TestLoginRefuses(t *testing.T) {
	f := start(t)
	app := f.application(t)
	for _, row := range []struct {
		about string
		spoil func(url.Values)
	}{
		{"a form from elsewhere has no form token", func(v url.Values) { v.Del("form_token") }},
		{"a wrong form token", func(v url.Values) { v.Set("form_token", v.Get("id")) }},
		{"the form token of another sign-in", func(v url.Values) {
			other, _ := f.loginForm(t, app)
			v.Set("form_token", other.Get("form_token"))
		}},
		{"an unknown sign-in", func(v url.Values) { v.Set("id", "x") }},
		{"nobody chosen", func(v url.Values) { v.Del("user") }},
		{"an unknown person", func(v url.Values) { v.Set("user", "x") }},
		{"a machine cannot click", func(v url.Values) { v.Set("user", f.clients["admin"].account) }},
	} {
		form, _ := f.loginForm(t, app)
		form.Set("user", UserAlice)
		row.spoil(form)
		if a := f.post(t, "/login", "", "", form); a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", row.about, a.status)
		}
	}

	form, _ := f.loginForm(t, app)
	form.Set("user", UserAlice)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.seeded.Issuer+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "http://evil.example")
	if a := f.do(t, req); a.status != http.StatusForbidden {
		t.Errorf("a browser on another site: status %d, want 403", a.status)
	}
	if a := f.post(t, "/login", "", "", form); a.status != http.StatusSeeOther {
		t.Errorf("the real form: status %d, want 303", a.status)
	}
	form.Set("user", UserBob)
	if a := f.post(t, "/login", "", "", form); a.status != http.StatusBadRequest {
		t.Errorf("the real form again: status %d, want 400", a.status)
	}
	back := f.seeded.Issuer + "/authorize/callback?id=" + form.Get("id")
	if first := location(t, f.get(t, back)); first.Query().Get("code") == "" {
		t.Errorf("no code: %s", first)
	}
	if second := location(t, f.get(t, back)); second.Query().Get("code") != "" {
		t.Errorf("a second code for one sign-in: %s", second)
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	f := start(t)
	app := f.application(t)
	for _, row := range []struct {
		about string
		with  url.Values // over the parameters of a good request
		error string     // "" = 400 here, without a redirect
	}{
		{"no PKCE", url.Values{"code_challenge": {""}}, "invalid_request"},
		{"PKCE without hash", url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		{"nobody is signed in already", url.Values{"prompt": {"none"}}, "login_required"},
		{"implicit flow", url.Values{"response_type": {"token id_token"}}, "unauthorized_client"},
		{"foreign redirect", url.Values{"redirect_uri": {"http://evil.example/callback"}}, ""},
		{"other path", url.Values{"redirect_uri": {"http://127.0.0.1:1/other"}}, ""},
		{"loopback as user name", url.Values{"redirect_uri": {"http://127.0.0.1:1@evil.example/callback"}}, ""},
		{"unknown client", url.Values{"client_id": {"x"}}, ""},
		{"client without redirects", url.Values{"client_id": {"admin"}}, ""},
	} {
		u, err := url.Parse(rp.AuthURL("s", app, challenge()))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		maps.Copy(q, row.with)
		u.RawQuery = q.Encode()
		a := f.get(t, u.String())
		if row.error == "" {
			if a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
				t.Errorf("%s: status %d, Location %q; want 400 and no redirect", row.about, a.status, a.header.Get("Location"))
			}
			continue
		}
		to := location(t, a)
		got := to.Query().Get("error")
		if fragment, err := url.ParseQuery(to.Fragment); err == nil && got == "" {
			got = fragment.Get("error")
		}
		if got != row.error {
			t.Errorf("%s: redirect to %s, want error %s", row.about, to, row.error)
		}
	}
}

func TestNumberOfSignInsIsBounded(t *testing.T) {
	f := start(t)
	begin := func() error {
		_, err := f.store.CreateAuthRequest(t.Context(), &oidc.AuthRequest{
			CodeChallenge: "x", CodeChallengeMethod: oidc.CodeChallengeMethodS256,
		}, "")
		return err
	}
	for i := range maxSignIns {
		if err := begin(); err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
	}
	if begin() == nil {
		t.Error("a sign-in over the limit began")
	}
	f.clock.Advance(signInLifetime)
	if err := begin(); err != nil {
		t.Errorf("after the others have ended: %v", err)
	}
}
