package authz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	testToken = "a-token-that-nobody-may-see"
	// testSecret stands in every bad answer: it must never come out again.
	testSecret = "what-the-provider-said"
)

// testProvider is an OAuth 2 provider on loopback that answers as it is told to.
type testProvider struct {
	*httptest.Server
	introspections, discoveries, searches, homes, elsewhere atomic.Int64

	log lockedBuffer

	mu                                  sync.Mutex
	discovery, introspect, search, home http.HandlerFunc // nil = as a good provider
	revoked                             map[string]bool
}

func startProvider(t *testing.T) *testProvider {
	p := &testProvider{revoked: make(map[string]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /idp/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		p.discoveries.Add(1)
		p.pick(&p.discovery, func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(map[string]string{
				"issuer": p.issuer(), "introspection_endpoint": p.URL + "/idp/introspect", "token_endpoint": p.URL + "/idp/token",
			})
		})(w, r)
	})
	mux.HandleFunc("POST /idp/introspect", func(w http.ResponseWriter, r *http.Request) {
		p.introspections.Add(1)
		token := r.FormValue("token")
		p.pick(&p.introspect, func(w http.ResponseWriter, r *http.Request) {
			id, secret, _ := r.BasicAuth()
			if id != "client" || secret != "client-secret" {
				http.Error(w, testSecret, http.StatusUnauthorized)
				return
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if token != testToken || p.revoked[token] {
				io.WriteString(w, `{"active":false}`)
				return
			}
			io.WriteString(w, claims(map[string]any{"iss": p.issuer(), "sub": "alice"}))
		})(w, r)
	})
	mux.HandleFunc("POST /idp/auth/v1/permissions/zitadel/me/_search", func(w http.ResponseWriter, r *http.Request) {
		p.searches.Add(1)
		p.pick(&p.search, p.goodSearch)(w, r)
	})
	mux.HandleFunc("GET /idp/auth/v1/users/me", func(w http.ResponseWriter, r *http.Request) {
		p.homes.Add(1)
		p.pick(&p.home, p.goodHome)(w, r)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		p.elsewhere.Add(1)
		io.WriteString(w, claims(map[string]any{"iss": p.issuer()}))
	})
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// goodSearch knows one token, which may do something in two organisations.
func (p *testProvider) goodSearch(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	revoked := p.revoked[testToken]
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status, code int, id string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":%d,"message":"%s (%s)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":%q}]}`, code, testSecret, id, id)
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken || revoked {
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

func (p *testProvider) issuer() string { return p.URL + "/idp" }

func (p *testProvider) pick(mood *http.HandlerFunc, good http.HandlerFunc) http.HandlerFunc {
	p.mu.Lock()
	defer p.mu.Unlock()
	if *mood != nil {
		return *mood
	}
	return good
}

// behave sets how an endpoint answers from now on; nil is well again.
func (p *testProvider) behave(endpoint *http.HandlerFunc, mood http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*endpoint = mood
}

func (p *testProvider) revoke(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked[token] = true
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

// moods are the ways in which a provider fails.
func (p *testProvider) moods() map[string]http.HandlerFunc {
	text := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	redirect := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, p.URL+"/elsewhere", status) }
	}
	active := claims(map[string]any{"iss": p.issuer()})
	return map[string]http.HandlerFunc{
		"connection reset":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"500":                     text(500, "text/plain", testSecret),
		"500 with a good body":    text(500, "application/json", active),
		"503 with an OAuth body":  text(503, "application/json", `{"error":"server_error","error_description":"`+testSecret+`"}`),
		"400":                     text(400, "application/json", `{"error":"invalid_request","error_description":"`+testSecret+`"}`),
		"401":                     text(401, "text/plain", testSecret),
		"404":                     text(404, "text/plain", testSecret),
		"201 with a good body":    text(201, "application/json", active),
		"204":                     text(204, "application/json", ""),
		"redirect 302":            redirect(302),
		"redirect 307":            redirect(307),
		"redirect 308":            redirect(308),
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
		"64 MB":             p.flood,
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

// flood sends 64 MB that would be a good answer if anybody read them all.
func (p *testProvider) flood(w http.ResponseWriter, _ *http.Request) {
	const size = 64 << 20
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for range size / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	p.elsewhere.Add(1) // nobody hung up
	fmt.Fprint(w, claims(map[string]any{"iss": p.issuer()}))
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
