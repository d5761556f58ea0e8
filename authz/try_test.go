package authz

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// discoveryOf answers with a document.
func discoveryOf(document map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(document)
	}
}

// A try says which part works and what is wrong with the other, and never what the provider said but for its issuer.
func TestTry(t *testing.T) {
	p := startProvider(t)
	asked := ""
	for name, row := range map[string]struct {
		discovery, introspect http.HandlerFunc
		change                func(*IntrospectionConfig)
		document, answer      string // what the errors hold, "" = none
	}{
		"all is well": {},
		"the secret is refused": {change: func(cfg *IntrospectionConfig) { cfg.ClientSecret = "of-another-day" },
			answer: "refuses the client id, or its secret or key (status 401)"},
		"another issuer": {discovery: discoveryOf(map[string]string{"issuer": "https://other.example/\n", "introspection_endpoint": p.URL() + "/idp/introspect"}),
			document: `issuer is "https://other.example/\n", the configured one "` + p.issuer() + `"`},
		"no introspection":   {discovery: discoveryOf(map[string]string{"issuer": p.issuer()}), document: "no introspection_endpoint"},
		"an endpoint of ftp": {discovery: discoveryOf(map[string]string{"issuer": p.issuer(), "introspection_endpoint": "ftp://a/b"}), document: "unusable discovery document"},
		"no document":        {discovery: http.NotFound, document: "status 404"},
		"a page":             {discovery: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, testSecret) }, document: "malformed"},
		"the provider fails": {introspect: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, testSecret, 500) }, answer: "status 500"},
		"everybody is active": {introspect: func(w http.ResponseWriter, r *http.Request) {
			asked = r.FormValue("token")
			io.WriteString(w, claims(map[string]any{"iss": p.issuer()}))
		}, answer: "active that nobody has"},
	} {
		p.misbehave(atDiscovery, row.discovery)
		p.misbehave(atIntrospect, row.introspect)
		trial := p.introspector(t, row.change).Try(t.Context())
		for part, got := range map[string]struct {
			err  error
			want string
		}{"discovery": {trial.Discovery, row.document}, "introspection": {trial.Introspection, row.answer}} {
			if text := errText(got.err); (text == "") != (got.want == "") || !strings.Contains(text, got.want) || strings.Contains(text, testSecret) {
				t.Errorf("%s: %s: %q, want %q in it", name, part, text, got.want)
			}
		}
		if refused := name == "the secret is refused"; errors.Is(trial.Introspection, ErrClientRefused) != refused {
			t.Errorf("%s: %v is ErrClientRefused, want %v", name, trial.Introspection, refused)
		}
	}
	if asked == "" || strings.Contains(p.log.String(), asked) {
		t.Errorf("the invented token %q is in the log, or there was none", asked)
	}
	p.ClosePort()
	if trial := p.introspector(t, nil).Try(t.Context()); trial.Err() == nil || trial.Discovery.Error() != "connection failed" {
		t.Errorf("nobody listens: %+v", trial)
	}
}

// The description of a provider may be somewhere else, and need not be read at all where the endpoint is given. It has to be of
// the configured issuer wherever it is.
func TestProviderElsewhere(t *testing.T) {
	p := startProvider(t)
	p.misbehave(atDiscovery, http.NotFound)
	good := p.URL() + "/.well-known/oauth-authorization-server/idp"
	document := map[string]string{"issuer": p.issuer(), "introspection_endpoint": p.URL() + "/idp/introspect"}
	p.misbehave("/.well-known/oauth-authorization-server/idp", func(w http.ResponseWriter, r *http.Request) { discoveryOf(document)(w, r) })
	authenticate := func(change func(*IntrospectionConfig)) error {
		_, err := p.introspector(t, change).Authenticate(t.Context(), bearer(testToken))
		return err
	}
	if err := authenticate(nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a document: %v", err)
	}
	if err := authenticate(func(cfg *IntrospectionConfig) { cfg.DiscoveryURL = good }); err != nil {
		t.Errorf("with the document of RFC 8414: %v", err)
	}
	before := p.Requests(atDiscovery)
	if err := authenticate(func(cfg *IntrospectionConfig) { cfg.IntrospectionEndpoint = p.URL() + "/idp/introspect" }); err != nil || p.Requests(atDiscovery) != before {
		t.Errorf("with the endpoint: %v and %d documents read, want none", err, p.Requests(atDiscovery)-before)
	}
	document["issuer"] = p.URL()
	err := authenticate(func(cfg *IntrospectionConfig) { cfg.DiscoveryURL = good })
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "issuer is") {
		t.Errorf("with the document of another issuer: %v", err)
	}
	for _, bad := range []string{"/path", "ftp://a/b", "id.example"} {
		if _, err := NewIntrospector(IntrospectionConfig{Issuer: p.issuer(), ClientID: "c", ClientSecret: "s", Audience: "a", DiscoveryURL: bad}); err == nil {
			t.Errorf("discovery URL %q was taken", bad)
		}
	}
}

// A secret that changed at both sides is used from the next question on, and one that cannot be used changes nothing.
func TestUseCredentials(t *testing.T) {
	p := startProvider(t)
	secret := "client-secret"
	p.misbehave(atIntrospect, func(w http.ResponseWriter, r *http.Request) {
		if _, given, _ := r.BasicAuth(); given != secret {
			http.Error(w, testSecret, http.StatusUnauthorized)
			return
		}
		io.WriteString(w, claims(map[string]any{"iss": p.issuer()}))
	})
	in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = 0 })
	check := func(when, token string, works bool) {
		t.Helper()
		if _, err := in.Authenticate(t.Context(), bearer(token)); (err == nil) != works {
			t.Errorf("%s: %v, works: %v", when, err, works)
		}
	}
	check("before", "token-1", true)
	secret = "the-next-one"
	check("changed there", "token-2", false)
	if err := in.UseCredentials("", ClientKey{}); err == nil {
		t.Error("no secret was taken for one")
	}
	if err := in.UseCredentials("s", ClientKey{ID: "k", PEM: []byte("none")}); err == nil || strings.Contains(err.Error(), "none") {
		t.Errorf("a secret and a key: %v", err)
	}
	if err := in.UseCredentials(secret, ClientKey{}); err != nil {
		t.Fatal(err)
	}
	check("changed here, too", "token-3", true)
}

// Callers whose token names no organisation are of the default one, where there is one. A name in the token counts.
func TestDefaultOrganization(t *testing.T) {
	p := startProvider(t)
	for name, row := range map[string]struct {
		claim      any
		fallback   string
		want       string
		unavailing bool
	}{
		"none":                            {nil, "", "", false},
		"the default":                     {nil, "globex", "globex", false},
		"an empty name":                   {"", "globex", "globex", false},
		"a name":                          {"acme", "globex", "acme", false},
		"a name that cannot be":           {"a\x00", "globex", "", true},
		"a name of the wrong kind":        {7, "globex", "", true},
		"a name, and there is no default": {"acme", "", "acme", false},
	} {
		p.misbehave(atIntrospect, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, claims(map[string]any{"iss": p.issuer(), organizationClaim: row.claim}))
		})
		in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.DefaultOrganization = row.fallback })
		for range 2 { // looked up, then kept
			id, err := in.Authenticate(t.Context(), bearer(testToken))
			if id.Organization != row.want || (err != nil) != row.unavailing {
				t.Errorf("%s: organisation %q, %v, want %q", name, id.Organization, err, row.want)
			}
		}
	}
	if _, err := NewIntrospector(IntrospectionConfig{Issuer: p.issuer(), ClientID: "c", ClientSecret: "s", Audience: "a", DefaultOrganization: "a\nb"}); err == nil {
		t.Error("a default organisation that is no id was taken")
	}
}
