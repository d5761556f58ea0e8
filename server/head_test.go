package server

import (
	"bufio"
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
	for _, secure := range []bool{false, true} {
		l := f.listen(t, secure)
		for before := range 3 {
			c := dialHead(t, l.address, secure)
			for range before { // bodies may have any number of lines
				body := strings.Repeat("\n", 3000)
				if res, _ := c.ask(t, fmt.Sprintf("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)); res.StatusCode != 405 {
					t.Fatalf("a body of lines: %d, want 405", res.StatusCode)
				}
			}
			res, body := c.ask(t, tooManyLines()...)
			if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !res.Close || body != "431 Request Header Fields Too Large" {
				t.Errorf("TLS %v, after %d requests: %d %q, closes %v, want one 431 before the head has ended", secure, before, res.StatusCode, body, res.Close)
			}
			_ = c.Close()
		}
		if n := f.server.Load().Refused["header_fields"]; n == 0 {
			t.Error("nobody counted it")
		}
		l.end(t)
	}
}

// tooManyLines is a head of one line more than a server takes, in pieces. net/http reads again after an error when it has half a
// line, as it has here at the end of the first piece.
func tooManyLines() []string {
	lines := "GET /healthz HTTP/1.1\r\n"
	for i := range maxHeadLines {
		lines += fmt.Sprintf("%x:\r\n", i)
	}
	half := len(lines) / 2
	for lines[half] != ':' {
		half++
	}
	return []string{lines[:half], lines[half:], "a:\r\n\r\n"}
}

// headClient writes requests as they are.
type headClient struct {
	net.Conn
	answers *bufio.Reader
}

func dialHead(t *testing.T, address string, secure bool) *headClient {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return &headClient{conn, bufio.NewReader(conn)}
}

// ask sends one request in pieces, each of which TLS makes a record of its own, and reads the whole answer.
func (c *headClient) ask(t *testing.T, pieces ...string) (res *http.Response, body string) {
	t.Helper()
	for _, piece := range pieces {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return res, string(text)
}
