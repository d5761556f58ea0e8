package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A request whose header fields do not end is refused while they come, in clear and over TLS, also as the second on its connection.
func TestEndlessHeadIsRefused(t *testing.T) {
	f := start(t, nil)
	certificate := selfSigned(t, "localhost")
	for _, secure := range []bool{false, true} {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			if secure {
				served <- f.server.ServeTLS(ctx, ln, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil })
			} else {
				served <- f.server.Serve(ctx, ln)
			}
		}()
		for before := range 3 {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			answers := bufio.NewReader(conn)
			ask := func(requestInPieces ...string) (*http.Response, string) {
				t.Helper()
				for _, piece := range requestInPieces { // over TLS each is read by itself
					if _, err := io.WriteString(conn, piece); err != nil {
						t.Fatal(err)
					}
				}
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				return res, string(body)
			}
			for range before { // bodies may have any number of lines
				body := strings.Repeat("\n", 3000)
				if res, _ := ask(fmt.Sprintf("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)); res.StatusCode != 405 {
					t.Fatalf("a body of lines: %d, want 405", res.StatusCode)
				}
			}
			lines := "GET /healthz HTTP/1.1\r\n"
			for i := range maxHeadLines {
				lines += fmt.Sprintf("%x:\r\n", i)
			}
			// net/http reads again after an error when it has half a line, as it has here at the end of the first piece.
			half := len(lines) / 2
			for lines[half] != ':' {
				half++
			}
			res, body := ask(lines[:half], lines[half:], "a:\r\n\r\n")
			if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !res.Close || body != "431 Request Header Fields Too Large" {
				t.Errorf("TLS %v, after %d requests: %d %q, closes %v, want one 431 before the head has ended", secure, before, res.StatusCode, body, res.Close)
			}
			_ = conn.Close()
		}
		if n := f.server.Load().Refused["header_fields"]; n == 0 {
			t.Error("nobody counted it")
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}
