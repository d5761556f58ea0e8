package e2e

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"avatard/authz/devidp"
	"avatard/internal/admin"
	"avatard/server/picture"
	"avatard/storage"
)

// moodyProvider is the development provider on a port of its own, behind a door: what a caller gets to see of it
// depends on its mood.
type moodyProvider struct {
	*devidp.Provider
	*devidp.Seeded
	address string
	// elsewhere is where redirects lead. Nobody may come.
	elsewhere *httptest.Server
	strayed   atomic.Int64
	// wholeFloods counts the floods that somebody read to the end.
	wholeFloods atomic.Int64

	mu   sync.Mutex
	mood http.HandlerFunc // nil = well
	srv  *http.Server     // nil while the port is closed
	ends []func()
}

// newMoodyProvider starts a provider that is well. now is its clock, nil = time.Now.
func newMoodyProvider(t *testing.T, now func() time.Time) *moodyProvider {
	t.Helper()
	p := &moodyProvider{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = ln.Addr().String()
	p.Provider, p.Seeded, err = devidp.Seed(devidp.Config{Issuer: "http://" + p.address + "/idp", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	p.elsewhere = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { p.strayed.Add(1) }))
	p.serve(ln)
	t.Cleanup(func() {
		p.closePort()
		p.elsewhere.Close()
		if n := p.strayed.Load(); n > 0 {
			t.Errorf("%d requests followed a redirect of the provider", n)
		}
		if n := p.wholeFloods.Load(); n > 0 {
			t.Errorf("%d floods were read to the end", n)
		}
	})
	return p
}

func (p *moodyProvider) serve(ln net.Listener) {
	srv := &http.Server{Handler: http.HandlerFunc(p.answer)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(ln) // returns when closePort closes it
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.srv = srv
	p.ends = append(p.ends, func() { srv.Close(); <-ended })
}

func (p *moodyProvider) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	mood := p.mood
	p.mu.Unlock()
	if mood == nil {
		mood = p.Handler().ServeHTTP
	}
	mood(w, r)
}

// behave sets the mood, nil = well.
func (p *moodyProvider) behave(mood http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mood = mood
}

// closePort lets nobody connect any more and cuts every connection.
func (p *moodyProvider) closePort() {
	p.mu.Lock()
	ends := p.ends
	p.srv, p.ends = nil, nil
	p.mu.Unlock()
	for _, end := range ends {
		end()
	}
}

func (p *moodyProvider) openPort(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.serve(ln)
}

// settings is what serve has to be told about the provider.
func (p *moodyProvider) settings() map[string]string {
	env := map[string]string{}
	for _, v := range p.Variables() {
		env[v.Name] = v.Value
	}
	return env
}

// mint makes a token of its own, so that nobody has asked about it before.
func (p *moodyProvider) mint(t *testing.T, subject string) string {
	t.Helper()
	token, err := p.Mint(devidp.TokenSpec{Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// managerID is the machine of acme behind TOKEN_MANAGER.
const managerID = "150317214593155202"

// spill returns what a provider in trouble may repeat of a request: the token and the client secret.
func spill(r *http.Request) string {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	return r.Header.Get("Authorization") + " " + string(body)
}

// flood sends 64 MB of white space, and then what would be a good answer.
func (p *moodyProvider) flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	p.wholeFloods.Add(1)
	p.Handler().ServeHTTP(w, r)
}

// registerWithPicture registers users of acme in a data directory that nobody serves, the first with a picture,
// and returns what is stored of it.
func registerWithPicture(t *testing.T, dir, issuer string, users ...string) []byte {
	t.Helper()
	store := openStore(t, dir)
	defer store.Close()
	for _, user := range users {
		if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: issuer, ID: user}, devidp.OrgAcme, admin.CommandLine); err != nil {
			t.Fatal(err)
		}
	}
	stored := storage.Picture{Format: storage.PNG, Data: picture.Sample(1, 3000)}
	if _, err := store.Put(t.Context(), storage.Upload{User: storage.UserKey{Issuer: issuer, ID: users[0]}, Organization: devidp.OrgAcme,
		Picture: stored, By: admin.CommandLine}); err != nil {
		t.Fatal(err)
	}
	return stored.Data
}
