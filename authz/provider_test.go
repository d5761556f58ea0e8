package authz

import (
	"bytes"
	"encoding/json"
	"example.org/avatard/authz/authztest"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testToken = "a-token-that-nobody-may-see"
	// testSecret stands in every bad answer: it must never come out again.
	testSecret = "what-the-provider-said"
)

// What the provider is asked, by the end of the path.
const (
	atDiscovery  = "/.well-known/openid-configuration"
	atIntrospect = "/introspect"
	atSearch     = "/permissions/zitadel/me/_search"
	atHome       = "/users/me"
)

// testProvider is an OAuth 2 provider on loopback that knows one token and fails as it is told to.
type testProvider struct {
	*authztest.Server
	handler http.Handler // a provider that is well
	log     lockedBuffer

	mu      sync.Mutex
	revoked bool // testToken is
}

func startProvider(t *testing.T) *testProvider {
	p := new(testProvider)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /idp"+atDiscovery, func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{
			"issuer": p.issuer(), "introspection_endpoint": p.URL() + "/idp/introspect", "token_endpoint": p.URL() + "/idp/token",
		})
	})
	mux.HandleFunc("POST /idp"+atIntrospect, func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "client" || secret != "client-secret" {
			http.Error(w, testSecret, http.StatusUnauthorized)
			return
		}
		if token := r.FormValue("token"); token != testToken || p.isRevoked() {
			io.WriteString(w, `{"active":false}`)
			return
		}
		io.WriteString(w, claims(map[string]any{"iss": p.issuer(), "sub": "alice"}))
	})
	mux.HandleFunc("POST /idp/auth/v1"+atSearch, p.goodSearch)
	mux.HandleFunc("GET /idp/auth/v1"+atHome, p.goodHome)
	mux.HandleFunc("GET /idp/management/v1/users/{id}", p.goodUser)
	p.handler = asJSON(mux.ServeHTTP)
	p.Server = authztest.Serve(t, p.handler)
	return p
}

// asJSON gives answers the media type of JSON, unless they have another.
func asJSON(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		handler(w, r)
	}
}

// misbehave lets fault, whose answers are JSON unless it says otherwise, answer requests to an endpoint from now on; nil = well again.
func (p *testProvider) misbehave(endpoint string, fault http.HandlerFunc) {
	if fault != nil {
		fault = asJSON(fault)
	}
	p.Misbehave(endpoint, fault)
}

// goodSearch knows one token, which may do something in two organisations.
func (p *testProvider) goodSearch(w http.ResponseWriter, r *http.Request) {
	refuse := func(status, code int, id string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":%d,"message":"%s (%s)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":%q}]}`, code, testSecret, id, id)
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken || p.isRevoked() {
		refuse(http.StatusUnauthorized, 16, "AUTH-7fs1e")
		return
	}
	switch r.Header.Get("X-Zitadel-Orgid") {
	case "acme":
		io.WriteString(w, `{"result":["org.read","user.write","user.read:self","user.read","user.write"]}`)
	case "globex":
		io.WriteString(w, `{"result":["policy.read"]}`)
	case "initech":
		io.WriteString(w, `{}`)
	default:
		refuse(http.StatusForbidden, 7, "AUTH-Bs7Ds")
	}
}

func (p *testProvider) issuer() string { return p.URL() + "/idp" }

func (p *testProvider) revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = true
}

func (p *testProvider) isRevoked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revoked
}

// introspector returns one that asks p, with the clock at testNow unless the change says otherwise.
func (p *testProvider) introspector(t *testing.T, change func(*IntrospectionConfig)) *Introspector {
	cfg := IntrospectionConfig{
		Issuer: p.issuer(), ClientID: "client", ClientSecret: "client-secret", Audience: "avatars", ProjectID: "42",
		CacheTTL: testTTL,
		Timeout:  time.Minute, // only the tests of slowness may meet it
		Now:      func() time.Time { return time.Unix(testNow, 0) },
		Logger:   slog.New(slog.NewTextHandler(&p.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	in, err := NewIntrospector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.client.CloseIdleConnections)
	return in
}

func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

// faults are the ways in which a provider fails.
func (p *testProvider) faults() map[string]http.HandlerFunc {
	text := authztest.Reply
	active := claims(map[string]any{"iss": p.issuer()})
	return map[string]http.HandlerFunc{
		"connection reset":        authztest.Reset,
		"500":                     text(500, "text/plain", testSecret),
		"500 with a good body":    text(500, "application/json", active),
		"503 with an OAuth body":  text(503, "application/json", `{"error":"server_error","error_description":"`+testSecret+`"}`),
		"400":                     text(400, "application/json", `{"error":"invalid_request","error_description":"`+testSecret+`"}`),
		"401":                     text(401, "text/plain", testSecret),
		"404":                     text(404, "text/plain", testSecret),
		"201 with a good body":    text(201, "application/json", active),
		"204":                     text(204, "application/json", ""),
		"redirect 302":            p.Redirect(302),
		"redirect 307":            p.Redirect(307),
		"redirect 308":            p.Redirect(308),
		"HTML":                    text(200, "text/html", "<html>"+testSecret+"</html>"),
		"JSON as HTML":            text(200, "text/html; charset=utf-8", active),
		"JSON as text":            text(200, "text/plain", active),
		"JSON as a signed answer": text(200, "application/token-introspection+jwt", active),
		"JSON as a script":        text(200, "text/javascript+json", active),
		"JSON of no type": func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, active)
		},
		"JSON of two types": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Content-Type", "application/json")
			io.WriteString(w, active)
		},
		"60,000 members":    text(200, "application/json", manyMembers(active, 60_000)),
		"a member too many": text(200, "application/json", manyMembers(active, maxResponseMembers)),
		"nested too deep":   text(200, "application/json", strings.TrimSuffix(active, "}")+`,"deep":`+strings.Repeat("[", maxResponseDepth)+strings.Repeat("]", maxResponseDepth)+"}"),
		"empty":             text(200, "application/json", ""),
		"null":              text(200, "application/json", "null"),
		"array":             text(200, "application/json", "[]"),
		"wrong content":     text(200, "application/json", `{"active":"`+testSecret+`","issuer":[]}`),
		"cut off":           text(200, "application/json", active[:len(active)/2]),
		"64 MB":             p.Flood,
	}
}

// manyMembers adds roles in so many organisations to an answer.
func manyMembers(answer string, n int) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(answer, "}"))
	b.WriteString(`,"urn:zitadel:iam:org:project:9:roles":{"ORG_OWNER":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%d":"d"`, i)
	}
	b.WriteString("}}}")
	return b.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
