// Package authztest is an identity provider for tests and benchmarks that fails in the ways a test chooses. A real HTTP server on
// loopback stands before it, so that what a caller meets are real connections, statuses and bodies.
//
//	caller ──HTTP──► Server: counts, fails as told ──► the handler of a provider
//	                                                     │
//	                    provider.go: package devidp ◄────┴────► a handler of the test's own
//
// It checks by itself, when a test ends, what no caller may do to any provider: follow a redirect with a token or a secret, and read
// an answer without a bound to its end.
package authztest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// TB is what a test lends: testing.TB has it.
type TB interface {
	Helper()
	Fatal(args ...any)
	Errorf(format string, args ...any)
	Cleanup(f func())
}

// elsewhere is the path below which everything is served a second time, for redirects. Nobody may come there.
const elsewhere = "/elsewhere"

// Server is an HTTP server on loopback before a provider. All methods may be called concurrently.
type Server struct {
	address string

	mu         sync.Mutex
	handler    http.Handler
	faults     map[string]http.HandlerFunc // by the end of the path
	requests   map[string]int64            // by path
	strayed    int
	wholeFlood int
	stop       func() // nil while the port is closed
}

// Serve starts a server before handler, which gets every request that is not to fail, and stops it when the test ends.
func Serve(t TB, handler http.Handler) *Server {
	t.Helper()
	s, err := start(func(string) (http.Handler, error) { return handler, nil })
	if err != nil {
		t.Fatal(err)
	}
	s.endWith(t)
	return s
}

// start starts a server whose handler is made when its address is known.
func start(handler func(url string) (http.Handler, error)) (*Server, error) {
	s := &Server{address: "127.0.0.1:0", faults: make(map[string]http.HandlerFunc), requests: make(map[string]int64)}
	ln, err := net.Listen("tcp", s.address) //nolint:noctx // returns at once
	if err != nil {
		return nil, err
	}
	s.address = ln.Addr().String()
	if s.handler, err = handler(s.URL()); err != nil {
		return nil, err
	}
	s.serve(ln)
	return s, nil
}

// endWith stops the server when the test ends, and checks what its callers did.
func (s *Server) endWith(t TB) {
	t.Cleanup(func() {
		s.ClosePort()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.strayed > 0 {
			t.Errorf("%d requests followed a redirect of the provider", s.strayed)
		}
		if s.wholeFlood > 0 {
			t.Errorf("%d answers without a bound were read to the end", s.wholeFlood)
		}
	})
}

// URL returns where the server is, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.address }

// Elsewhere returns a URL below which the provider answers as it does below URL, for redirects and documents that lead astray. A request
// to it fails the test when that ends.
func (s *Server) Elsewhere() string { return s.URL() + elsewhere }

// Misbehave lets fault answer requests whose path ends with suffix from now on; nil = as a provider that is well. "" is the suffix of all.
func (s *Server) Misbehave(suffix string, fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault == nil {
		delete(s.faults, suffix)
	} else {
		s.faults[suffix] = fault
	}
}

// Requests returns how many requests came to paths that end with suffix.
func (s *Server) Requests(suffix string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for path, requests := range s.requests {
		if strings.HasSuffix(path, suffix) {
			n += requests
		}
	}
	return n
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handler := s.handler
	s.requests[r.URL.Path]++
	if strings.HasPrefix(r.URL.Path, elsewhere) {
		s.strayed++
		handler = http.StripPrefix(elsewhere, handler) // well, so that a caller who strays has something to believe
	} else {
		for suffix, fault := range s.faults {
			if strings.HasSuffix(r.URL.Path, suffix) {
				handler = fault
			}
		}
	}
	s.mu.Unlock()
	handler.ServeHTTP(w, r)
}

// Flood is a fault: 64 MB of white space, and then what the provider answers.
func (s *Server) Flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	s.mu.Lock()
	s.wholeFlood++
	s.mu.Unlock()
	s.handler.ServeHTTP(w, r)
}

// Redirect returns a fault: a redirect to Elsewhere.
func (s *Server) Redirect(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, s.Elsewhere()+r.URL.Path, status) } //nolint:gosec // a trap for callers of tests
}

// Reset is a fault: the connection is cut before an answer.
func Reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Reply returns a fault: an answer of one status, media type and body, whatever was asked.
func Reply(status int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *Server) serve(ln net.Listener) {
	srv := &http.Server{Handler: s} //nolint:gosec // serves one process on loopback
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln) // returns when ClosePort closes it
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = func() {
		_ = srv.Close()
		<-ended
	}
}

// ClosePort lets nobody connect any more and cuts every connection.
func (s *Server) ClosePort() {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// OpenPort listens again where it did before ClosePort.
func (s *Server) OpenPort(t TB) {
	t.Helper()
	ln, err := net.Listen("tcp", s.address) //nolint:noctx // returns at once
	if err != nil {
		t.Fatal(err)
	}
	s.serve(ln)
}
