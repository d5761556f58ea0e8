package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"avatard/authz"
	"avatard/authz/devidp"
	"avatard/server"
	"avatard/server/picture"
	"avatard/storage"
)

// plantedSecret is what must stay inside.
const plantedSecret = "s3cret-of-the-inside+/planted"

// plantedStore is a store whose calls end in a way that knows secrets. Readiness, too.
type plantedStore struct {
	storage.Store
	end func() error
}

func (s plantedStore) Remove(context.Context, storage.Removal) (storage.Result, error) {
	return storage.Result{}, s.end()
}

func (s plantedStore) Put(context.Context, storage.Upload) (storage.Result, error) {
	return storage.Result{}, s.end()
}

func (s plantedStore) Get(context.Context, storage.UserKey, string) (storage.Picture, error) {
	return storage.Picture{}, s.end()
}

func (s plantedStore) HasOrganization(context.Context, string) (bool, error) { return false, s.end() }
func (s plantedStore) Ready(context.Context) error                           { return s.end() }

// plantedAuthenticator fails knowing the token.
type plantedAuthenticator struct{ end func(token string) error }

func (a plantedAuthenticator) Authenticate(_ context.Context, header http.Header) (authz.Identity, error) {
	return authz.Identity{}, a.end(header.Get("Authorization"))
}

// exposed is a server in which something knows the planted secret.
type exposed struct {
	t        *testing.T
	provider *moodyProvider
	client   *remover
	log      *transcript
	url      string
	// tokens are those that callers sent.
	manager, alice string
	stored, sent   []byte // pictures
}

// expose starts the real server on the real store with the real introspection. change spoils a part of it.
func expose(t *testing.T, change func(*server.Config)) *exposed {
	t.Helper()
	e := &exposed{t: t, provider: newMoodyProvider(t, nil), log: newTranscript("")}
	logger := slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	e.stored = registerWithPicture(t, dir, e.provider.Issuer, devidp.UserAlice, devidp.UserBob)
	introspector, err := authz.NewIntrospector(authz.IntrospectionConfig{
		Issuer: e.provider.Issuer, ClientID: e.provider.Client.ID, ClientSecret: e.provider.Client.Secret,
		Audience: e.provider.Audience, ProjectID: e.provider.Audience, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{
		Store: openStore(t, dir), Issuer: e.provider.Issuer, Authenticator: introspector,
		Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true, Logger: logger,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(nil)
	h.Config = server.NewHTTPServer(s.Handler(), logger)
	h.Start()
	t.Cleanup(h.Close)
	e.url, e.client = h.URL, newRemover(t, h.URL)
	e.manager, e.alice = e.provider.mint(t, managerID), e.provider.mint(t, devidp.UserAlice)
	e.sent = picture.Sample(3, 4000)
	return e
}

// everything calls whatever a caller can call and returns all answers by the name of the call: the deletes in five
// forms first, which are those of forms.
func (e *exposed) everything() (forms, others map[string]removal) {
	e.t.Helper()
	const mine = "/assets/v1/users/me/avatar"
	alice := "/management/v1/users/" + devidp.UserAlice + "/avatar"
	others = map[string]removal{
		"own upload":       e.client.upload(e.t, e.url+mine, e.alice, e.sent),
		"upload":           e.client.upload(e.t, e.url+alice, e.manager, e.sent),
		"spoilt upload":    e.client.upload(e.t, e.url+mine, e.alice, e.sent[:len(e.sent)-600]),
		"own read":         e.client.do(e.t, http.MethodGet, e.url+mine, e.alice, "", nil),
		"public read":      e.client.do(e.t, http.MethodGet, e.url+"/assets/v1/"+devidp.OrgAcme+"/users/"+devidp.UserAlice+"/avatar", e.alice, "", nil),
		"own delete":       e.client.do(e.t, http.MethodDelete, e.url+"/auth/v1/users/me/avatar", e.alice, "", nil),
		"malformed header": e.client.do(e.t, http.MethodDelete, e.url+alice, e.manager+" "+e.manager, "", nil),
	}
	for _, open := range []string{"/readyz", "/healthz"} {
		_, body := call(e.t, http.MethodGet, e.url+open, e.manager)
		others[open] = removal{raw: body}
	}
	others["health"] = e.client.do(e.t, http.MethodPost, e.url+"/grpc.health.v1.Health/Check", e.manager, "application/json", []byte("{}"))
	return e.client.removeInAllForms(e.t, e.manager, devidp.UserAlice), others
}

// wantNothingOutside looks for the secret, and for what callers sent, in the answers; and for credentials and pictures
// in the log.
func (e *exposed) wantNothingOutside(answers ...map[string]removal) {
	e.t.Helper()
	for _, some := range answers {
		for name, got := range some {
			for _, secret := range []string{plantedSecret, e.manager, e.alice, e.provider.Client.Secret} {
				if form, found := findTrace(got.raw, []byte(secret)); found {
					e.t.Errorf("%s: a secret is in the answer, %s:\n%s", name, form, got.raw)
				}
			}
		}
	}
	log := e.log.String()
	for what, secret := range map[string]string{"token of the manager": e.manager, "token of alice": e.alice,
		"client secret": e.provider.Client.Secret, "stored picture": string(e.stored), "uploaded picture": string(e.sent)} {
		if form, found := findTrace(log, []byte(secret)); found {
			e.t.Errorf("the %s is in the log, %s:\n%.4000s", what, form, log)
		}
	}
}

var requestInMessage = regexp.MustCompile(`^internal error \(request ([A-Za-z0-9_-]{1,64})\)$`)

// wantInternal checks an answer to something unforeseen: it says nothing but a request id, under which the log tells
// the story.
func (e *exposed) wantInternal(name string, got removal, story string) {
	e.t.Helper()
	id := requestInMessage.FindStringSubmatch(got.message)
	if got.code != connect.CodeInternal || id == nil || got.header.Get("X-Request-Id") != id[1] {
		e.t.Errorf("%s: code %v, message %q, X-Request-Id %q, want an internal error with its id", name, got.code, got.message,
			got.header.Get("X-Request-Id"))
		return
	}
	for line := range strings.Lines(e.log.String()) {
		if strings.Contains(line, "request="+id[1]+" ") && strings.Contains(line, story) {
			return
		}
	}
	e.t.Errorf("%s: no line of the log has the request %s and %q", name, id[1], story)
}

func TestSecretInTheStore(t *testing.T) {
	rows := []struct {
		title string
		end   func() error
		code  connect.Code
	}{
		{"an error", func() error { return errors.New(plantedSecret) }, connect.CodeInternal},
		{"unavailable", func() error { return fmt.Errorf("%s: %w", plantedSecret, storage.ErrUnavailable) }, connect.CodeUnavailable},
		{"an invalid request", func() error { return fmt.Errorf("%s: %w", plantedSecret, storage.ErrInvalid) }, connect.CodeInternal},
		{"an error of the RPC library", func() error {
			return connect.NewError(connect.CodePermissionDenied, errors.New(plantedSecret))
		}, connect.CodeInternal},
		{"somebody else's deadline", func() error { return fmt.Errorf("%s: %w", plantedSecret, context.DeadlineExceeded) }, connect.CodeUnavailable},
		{"a panic with a text", func() error { panic(plantedSecret) }, connect.CodeInternal},
		{"a panic with an error", func() error { panic(fmt.Errorf("wrapped: %w", errors.New(plantedSecret))) }, connect.CodeInternal},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			e := expose(t, func(cfg *server.Config) { cfg.Store = plantedStore{cfg.Store, row.end} })
			forms, others := e.everything()
			for name, got := range forms {
				if got.code != row.code {
					t.Errorf("%s: code %v, want %v", name, got.code, row.code)
				}
				if row.code == connect.CodeInternal {
					e.wantInternal(name, got, plantedSecret)
				}
			}
			for _, name := range []string{"own upload", "upload", "own read", "public read", "own delete"} {
				if row.code == connect.CodeInternal {
					e.wantInternal(name, others[name], plantedSecret)
				}
			}
			e.wantNothingOutside(forms, others)
		})
	}
}

func TestSecretInTheAuthenticator(t *testing.T) {
	rows := map[string]struct {
		end  func(token string) error
		code connect.Code
	}{
		"an error":    {func(token string) error { return errors.New(plantedSecret + " " + token) }, connect.CodeInternal},
		"a panic":     {func(token string) error { panic(plantedSecret + " " + token) }, connect.CodeInternal},
		"unavailable": {func(token string) error { return fmt.Errorf("%s %s: %w", plantedSecret, token, authz.ErrUnavailable) }, connect.CodeUnavailable},
		"refused":     {func(token string) error { return fmt.Errorf("%s %s: %w", plantedSecret, token, authz.ErrInvalidToken) }, connect.CodeUnauthenticated},
	}
	for title, row := range rows {
		t.Run(title, func(t *testing.T) {
			e := expose(t, func(cfg *server.Config) { cfg.Authenticator = plantedAuthenticator{row.end} })
			forms, others := e.everything()
			for name, got := range forms {
				if got.code != row.code {
					t.Errorf("%s: code %v, want %v", name, got.code, row.code)
				}
				if row.code == connect.CodeInternal {
					e.wantInternal(name, got, plantedSecret)
				}
			}
			e.wantNothingOutside(forms, others)
		})
	}
}

// What a provider says reaches neither caller nor log: it may repeat the token, the client secret or anything else.
func TestSecretOfTheProvider(t *testing.T) {
	reply := func(status int, body string) func(*moodyProvider) http.HandlerFunc {
		return func(*moodyProvider) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				spilt := spill(r)
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Secret", plantedSecret)
				w.Header().Set("WWW-Authenticate", "Bearer "+plantedSecret)
				w.Header().Set("Set-Cookie", "session="+plantedSecret)
				w.WriteHeader(status)
				io.WriteString(w, strings.ReplaceAll(body, "SPILT", plantedSecret+" "+spilt))
			}
		}
	}
	rows := map[string]struct {
		mood func(*moodyProvider) http.HandlerFunc
		code connect.Code
	}{
		"text of a 500":   {reply(500, "SPILT"), connect.CodeUnavailable},
		"error of OAuth":  {reply(400, `{"error":"SPILT","error_description":"SPILT","error_uri":"SPILT"}`), connect.CodeUnavailable},
		"no JSON":         {reply(200, "SPILT"), connect.CodeUnavailable},
		"a wrong type":    {reply(200, `{"active":"SPILT"}`), connect.CodeUnavailable},
		"unknown members": {reply(200, `{"active":false,"SPILT":"SPILT"}`), connect.CodeUnauthenticated},
		"another issuer":  {reply(200, `{"active":true,"exp":99999999999,"iss":"https://other.example","sub":"SPILT","aud":"SPILT"}`), connect.CodeUnauthenticated}, // the issuer is told
		"a redirect": {func(p *moodyProvider) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, strings.Replace(p.elsewhere.URL, "http://", "http://user:"+plantedSecret+"@", 1)+"/"+plantedSecret, http.StatusTemporaryRedirect)
			}
		}, connect.CodeUnavailable},
	}
	for title, row := range rows {
		t.Run(title, func(t *testing.T) {
			e := expose(t, nil)
			// Discovery first, for it takes no answer of that kind for a word about a token.
			if got := e.client.remove(t, removalForms()[0], e.provider.mint(t, managerID), devidp.UserBob); got.code != success {
				t.Fatalf("before: code %v", got.code)
			}
			e.provider.behave(row.mood(e.provider))
			forms, others := e.everything()
			for name, got := range forms {
				if got.code != row.code {
					t.Errorf("%s: code %v, want %v", name, got.code, row.code)
				}
			}
			e.wantNothingOutside(forms, others)
			if strings.Contains(e.log.String(), plantedSecret) {
				t.Errorf("the provider's words are in the log:\n%s", e.log)
			}
		})
	}
}

// With everything well, tokens and pictures pass through, and still none is in the log at its most talkative.
func TestNoTokenAndNoPictureInTheLog(t *testing.T) {
	e := expose(t, nil)
	forms, others := e.everything()
	for name, want := range map[string]connect.Code{"own upload": success, "upload": success, "spoilt upload": connect.CodeInvalidArgument,
		"own delete": success, "malformed header": connect.CodeUnauthenticated} {
		if others[name].code != want {
			t.Errorf("%s: code %v, want %v", name, others[name].code, want)
		}
	}
	if !bytes.Contains([]byte(others["own read"].raw), []byte("PNG")) {
		t.Error("no picture was read, so the log could hold none")
	}
	e.wantNothingOutside(forms, others)
	if _, found := findTrace(others["spoilt upload"].raw, e.sent); found {
		t.Error("a piece of the refused picture came back")
	}
	if lines := strings.Count(e.log.String(), "\n"); lines < len(forms)+len(others) {
		t.Errorf("the log has %d lines, want at least one for each call:\n%s", lines, e.log)
	}
}
