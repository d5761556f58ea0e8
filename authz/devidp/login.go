package devidp

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/op"
)

const loginPath = "/login"

const loginStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem}` +
	`button{display:block;width:100%;margin:.5rem 0;padding:.6rem 1rem;font:inherit;text-align:left;cursor:pointer}` +
	`small{color:#555}`

// loginPage is one form with a button for each person. html/template escapes whatever comes from outside.
const loginPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in</title><style>{{.Style}}</style></head>
<body>
<h1>Sign in</h1>
<p>{{.Client}} asks who you are. This is a development provider: pick anybody, there are no passwords.</p>
<form method="post" action="{{.Action}}">
<input type="hidden" name="id" value="{{.ID}}">
<input type="hidden" name="form_token" value="{{.FormToken}}">
{{range .People}}<button name="user" value="{{.ID}}">{{.Name}} <small>{{.Login}}, {{.Organization}}</small></button>
{{end}}</form>
</body>
</html>
`

type loginData struct {
	Style                         template.CSS
	Client, Action, ID, FormToken string
	People                        []Account
}

// login is the page behind the authorize endpoint.
type login struct {
	provider *Provider
	page     *template.Template
	styleSum string
}

func newLogin(p *Provider) *login {
	sum := sha256.Sum256([]byte(loginStyle))
	return &login{
		provider: p,
		page:     template.Must(template.New("login").Parse(loginPage)),
		styleSum: base64.StdEncoding.EncodeToString(sum[:]),
	}
}

func (l *login) headers(w http.ResponseWriter, formTarget string) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+l.styleSum+"'; form-action 'self'"+formTarget+
		"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	// Not "no-referrer": browsers then send "Origin: null" with the form.
	h.Set("Referrer-Policy", "same-origin")
}

// show serves the page that lists the people to sign in as.
func (l *login) show(w http.ResponseWriter, r *http.Request) {
	p := l.provider
	a, err := p.store.pendingSignIn(r.URL.Query().Get("id"))
	if err != nil {
		l.refuse(w)
		return
	}
	people := make([]Account, len(p.people))
	for i, person := range p.people {
		person.Organization = p.organizations[person.Organization].Name
		people[i] = person
	}
	// Browsers hold form-action against the redirects after the form, too, and those end at the application. Its
	// scheme is named, not its host, because a policy cannot spell [::1].
	formTarget := ""
	if u, err := url.Parse(a.GetRedirectURI()); err == nil && u.Scheme != "" {
		formTarget = " " + u.Scheme + ":"
	}
	l.headers(w, formTarget)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// What is written is small; an error here means that the browser has gone.
	_ = l.page.Execute(w, loginData{
		Style:     loginStyle,
		Client:    a.clientID,
		Action:    p.cfg.Issuer + loginPath,
		ID:        a.id,
		FormToken: a.formToken,
		People:    people,
	})
}

// submit takes the answer and goes on to the library's callback, which issues the code.
func (l *login) submit(w http.ResponseWriter, r *http.Request) {
	p := l.provider
	if err := r.ParseForm(); err != nil {
		l.refuse(w)
		return
	}
	id, user := r.PostForm.Get("id"), r.PostForm.Get("user")
	if !p.isPerson(user) || p.store.finishSignIn(id, r.PostForm.Get("form_token"), user) != nil {
		l.refuse(w)
		return
	}
	l.headers(w, "")
	ctx := op.ContextWithIssuer(r.Context(), p.cfg.Issuer)
	http.Redirect(w, r, op.AuthCallbackURL(p.library)(ctx, id), http.StatusSeeOther)
}

func (l *login) refuse(w http.ResponseWriter) {
	l.headers(w, "")
	http.Error(w, "This sign-in has ended or was never begun. Start again from the application.", http.StatusBadRequest)
}

func (p *Provider) isPerson(id string) bool {
	return slices.ContainsFunc(p.people, func(a Account) bool { return a.ID == id })
}
