package server

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/storage"
)

// instantStore removes nothing and takes no time.
type instantStore struct{ storage.Store }

func (instantStore) Remove(context.Context, storage.Removal) (storage.Result, error) {
	at := time.Unix(1683885731, 0)
	return storage.Result{Details: storage.Details{Sequence: 2, CreationDate: at, ChangeDate: at, Organization: acme}}, nil
}

// BenchmarkDelete compares the cost of wire forms on a kept connection, without storage. REST must cost at most a quarter
// more than Connect with JSON.
func BenchmarkDelete(b *testing.B) {
	s, err := New(Config{Store: instantStore{}, Issuer: issuer, Authenticator: tokens(people()),
		Permissions: authz.NewClaims(authz.DefaultPolicy())})
	if err != nil {
		b.Fatal(err)
	}
	address := serveBenchmark(b, s)
	const head = " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token-1\r\nContent-Type: "
	for _, form := range []struct{ name, line, media, body string }{
		{"REST", "DELETE /management/v1/users/" + alice + "/avatar", "", ""},
		{"ConnectJSON", "POST " + removeProcedure, "application/json", `{"userId":"` + alice + `"}`},
		{"ConnectProto", "POST " + removeProcedure, "application/proto", "\x0a\x12" + alice},
	} {
		request := form.line + head + form.media + "\r\nContent-Length: " + strconv.Itoa(len(form.body)) + "\r\n\r\n" + form.body
		b.Run(form.name, func(b *testing.B) { benchmarkCall(b, address, request, http.StatusOK) })
	}
}

// serveBenchmark serves s until the benchmark ends, and returns the address.
func serveBenchmark(b *testing.B, s *Server) string {
	b.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = NewHTTPServer(s.Handler(), nil)
	srv.Start()
	b.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// benchmarkCall makes one call again and again on a connection.
func benchmarkCall(b *testing.B, address, request string, want int) {
	conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(conn, request); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != want {
			b.Fatal(res.Status, err)
		}
	}
}

// BenchmarkNotModified measures a read of a public picture that the caller has, without storage.
func BenchmarkNotModified(b *testing.B) {
	log := NewLogWriter(io.Discard)
	defer log.Close()
	s, err := New(Config{Store: &shelfStore{pictures: map[string][]byte{alice: make([]byte, 1000)}}, Issuer: issuer,
		Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		b.Fatal(err)
	}
	address := serveBenchmark(b, s)
	benchmarkCall(b, address, "GET /assets/v1/"+acme+"/users/"+alice+"/avatar HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n", http.StatusNotModified)
}

// BenchmarkRead measures a read of a public picture on a kept connection, without storage.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{1000, 30 << 10, 1 << 20} {
		s, err := New(Config{Store: &shelfStore{pictures: map[string][]byte{alice: make([]byte, size)}}, Issuer: issuer,
			Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true})
		if err != nil {
			b.Fatal(err)
		}
		srv := httptest.NewUnstartedServer(nil)
		srv.Config = NewHTTPServer(s.Handler(), nil)
		srv.Start()
		for version, protocols := range map[string]func(*http.Protocols){
			"HTTP1": func(p *http.Protocols) { p.SetHTTP1(true) },
			"HTTP2": func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
		} {
			transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
			protocols(transport.Protocols)
			b.Run(strconv.Itoa(size)+"/"+version, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, srv.URL+"/assets/v1/"+acme+"/users/"+alice+"/avatar", nil)
					if err != nil {
						b.Fatal(err)
					}
					res, err := transport.RoundTrip(req)
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, res.Body); n != int64(size) || err != nil {
						b.Fatal(n, err)
					}
					_ = res.Body.Close()
				}
			})
			transport.CloseIdleConnections()
		}
		srv.Close()
	}
}
