package e2e

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
	"example.org/avatard/test/leak"
)

// plantedSecret is what must stay inside.
const plantedSecret = "s3cret-of-the-inside+/planted"

// exposed is a server in which something knows the planted secret.
type exposed struct {
	t        *testing.T
	provider *faultyProvider
	client   *caller
	log      *transcript
	url      string
	// tokens are those that callers sent.
	manager, alice string
	stored, sent   []byte // pictures
}

// expose starts the program with a log at its most talkative.
func expose(t *testing.T) *exposed {
	t.Helper()
	e := &exposed{t: t, provider: newProvider(t, nil)}
	dir := filepath.Join(t.TempDir(), "data")
	e.stored = registerWithPicture(t, dir, e.provider.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, e.provider.Settings(), dir, "--log-level", "debug", "--introspection-timeout", "30s")
	e.log, e.url, e.client = srv.out, url, newCaller(t, url)
	e.manager, e.alice = e.provider.mint(t, managerID), e.provider.mint(t, devidp.UserAlice)
	e.sent = picture.Sample(3, 4000)
	return e
}

// everything calls whatever a caller can call and returns all answers: those to deletes by their form, others by the name of the
// call.
func (e *exposed) everything() (forms map[client.Form]answer, others map[string]answer) {
	e.t.Helper()
	const mine = "/assets/v1/users/me/avatar"
	alice := "/management/v1/users/" + devidp.UserAlice + "/avatar"
	others = map[string]answer{
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
		others[open] = answer{Raw: body}
	}
	others["health"] = e.client.do(e.t, http.MethodPost, e.url+"/grpc.health.v1.Health/Check", e.manager, "application/json", []byte("{}"))
	return e.client.removeInAllForms(e.t, e.manager, devidp.UserAlice), others
}

// wantNothingOutside looks for the secret, and for what callers sent, in the answers; and for credentials and pictures
// in the log.
func (e *exposed) wantNothingOutside(forms map[client.Form]answer, others map[string]answer) {
	e.t.Helper()
	all := maps.Clone(others)
	for form, got := range forms {
		all[string(form)] = got
	}
	for name, got := range all {
		for _, secret := range []string{plantedSecret, e.manager, e.alice, e.provider.Client.Secret} {
			if form, found := leak.Find(got.Raw, []byte(secret)); found {
				e.t.Errorf("%s: a secret is in the answer, %s:\n%s", name, form, got.Raw)
			}
		}
	}
	log := e.log.String()
	for what, secret := range map[string]string{"token of the manager": e.manager, "token of alice": e.alice,
		"client secret": e.provider.Client.Secret, "stored picture": string(e.stored), "uploaded picture": string(e.sent)} {
		if form, found := leak.Find(log, []byte(secret)); found {
			e.t.Errorf("the %s is in the log, %s:\n%.4000s", what, form, log)
		}
	}
}

// What a provider says reaches neither caller nor log: it may repeat the token, the client secret or anything else.
func TestSecretOfTheProvider(t *testing.T) {
	reply := func(status int, body string) func(*faultyProvider) http.HandlerFunc {
		return func(*faultyProvider) http.HandlerFunc {
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
		mood func(*faultyProvider) http.HandlerFunc
		code connect.Code
	}{
		"text of a 500":   {reply(500, "SPILT"), connect.CodeUnavailable},
		"error of OAuth":  {reply(400, `{"error":"SPILT","error_description":"SPILT","error_uri":"SPILT"}`), connect.CodeUnavailable},
		"no JSON":         {reply(200, "SPILT"), connect.CodeUnavailable},
		"a wrong type":    {reply(200, `{"active":"SPILT"}`), connect.CodeUnavailable},
		"unknown members": {reply(200, `{"active":false,"SPILT":"SPILT"}`), connect.CodeUnauthenticated},
		"another issuer":  {reply(200, `{"active":true,"exp":99999999999,"iss":"https://other.example","sub":"SPILT","aud":"SPILT"}`), connect.CodeUnauthenticated}, // the issuer is told
		"a redirect": {func(p *faultyProvider) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, strings.Replace(p.Elsewhere(), "http://", "http://user:"+plantedSecret+"@", 1)+"/"+plantedSecret, http.StatusTemporaryRedirect)
			}
		}, connect.CodeUnavailable},
	}
	for title, row := range rows {
		t.Run(title, func(t *testing.T) {
			e := expose(t)
			// Discovery first, for it takes no answer of that kind for a word about a token.
			if got := e.client.remove(t, client.REST, e.provider.mint(t, managerID), devidp.UserBob); got.Code != success {
				t.Fatalf("before: code %v", got.Code)
			}
			e.provider.Misbehave("", row.mood(e.provider))
			forms, others := e.everything()
			for name, got := range forms {
				if got.Code != row.code {
					t.Errorf("%s: code %v, want %v", name, got.Code, row.code)
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
	e := expose(t)
	forms, others := e.everything()
	for name, want := range map[string]connect.Code{"own upload": success, "upload": success, "spoilt upload": connect.CodeInvalidArgument,
		"own delete": success, "malformed header": connect.CodeUnauthenticated} {
		if others[name].Code != want {
			t.Errorf("%s: code %v, want %v", name, others[name].Code, want)
		}
	}
	if !bytes.Contains([]byte(others["own read"].Raw), []byte("PNG")) {
		t.Error("no picture was read, so the log could hold none")
	}
	e.wantNothingOutside(forms, others)
	if _, found := leak.Find(others["spoilt upload"].Raw, e.sent); found {
		t.Error("a piece of the refused picture came back")
	}
	if lines := strings.Count(e.log.String(), "\n"); lines < len(forms)+len(others) {
		t.Errorf("the log has %d lines, want at least one for each call:\n%s", lines, e.log)
	}
}
