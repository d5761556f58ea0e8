package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// wireServer serves on a real socket.
type wireServer struct {
	*fixture
	address string
	secure  bool
}

// startWire starts a server that ends with the test.
func startWire(t *testing.T, secure bool, change func(*Config)) *wireServer {
	t.Helper()
	f := start(t, change)
	l := f.listen(t, secure)
	t.Cleanup(func() { l.end(t) })
	return &wireServer{fixture: f, address: l.address, secure: secure}
}

// dial opens a connection. tcp is below TLS.
func (s *wireServer) dial(t *testing.T) (conn net.Conn, tcp *net.TCPConn) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	tcp = conn.(*net.TCPConn)
	if s.secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	return conn, tcp
}

// emptied waits until the server has no connection any more.
func (s *wireServer) emptied() {
	for s.server.connections.Open() > 0 {
		runtime.Gosched()
	}
}

// refusedUploads are answered before their body was read.
var refusedUploads = []struct {
	title, head string
	status      int
}{
	{"too large", "POST /assets/v1/users/me/avatar HTTP/1.1\r\nAuthorization: Bearer alice-token-1\r\nContent-Type: multipart/form-data; boundary=x\r\n", 413},
	{"no token", "POST /assets/v1/users/me/avatar HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n", 401},
	{"no permission", "POST /management/v1/users/" + bob + "/avatar HTTP/1.1\r\nAuthorization: Bearer viewer-token-1\r\n", 403},
	{"no route", "POST /nothing HTTP/1.1\r\n", 404},
	{"no method", "PUT /assets/v1/users/me/avatar HTTP/1.1\r\n", 405},
	{"too many fields", "POST /nothing HTTP/1.1\r\n" + strings.Repeat("x: y\r\n", maxFields+1), 431},
	{"an RPC", "POST " + removeProcedure + " HTTP/1.1\r\nContent-Type: application/json\r\n", 401},
	{"a message too large", "POST " + removeProcedure + " HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer admin-token-1\r\n", 429},
	{"no request", "POST / HTTP/1.1\r\nHost: y\r\n", 400}, // two hosts, which net/http refuses
}

// A peer that reads nothing before it has sent everything gets its answer: the rest that it sends is thrown away, and not answered with a
// reset.
func TestAnswersReachThoseWhoGoOnSending(t *testing.T) {
	zeros := make([]byte, 1<<20)
	for _, secure := range []bool{false, true} {
		s := startWire(t, secure, nil)
		for _, row := range refusedUploads {
			for _, chunked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, chunked %v, TLS %v", row.title, chunked, secure), func(t *testing.T) {
					conn, _ := s.dial(t)
					const pieces = 16
					length, before, after := fmt.Sprintf("Content-Length: %d\r\n", pieces<<20), "", ""
					if chunked {
						length, before, after = "Transfer-Encoding: chunked\r\n", "100000\r\n", "\r\n"
					}
					head := row.head + "Host: x\r\n" + length + "\r\n"
					if chunked && row.status == http.StatusRequestEntityTooLarge {
						head += fmt.Sprintf("%x\r\n%s\r\n", len(formHead), formHead)
					}
					_, err := io.WriteString(conn, head)
					for range pieces {
						if err == nil {
							_, err = conn.Write(bytes.Join([][]byte{[]byte(before), zeros, []byte(after)}, nil))
						}
					}
					if err != nil {
						t.Fatalf("the body could not be sent: %v", err)
					}
					res, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil || res.StatusCode != row.status {
						t.Fatalf("%v, %v, want %d", res, err, row.status)
					}
					if _, err := io.Copy(io.Discard, res.Body); err != nil {
						t.Fatal(err)
					}
					conn.Close()
					s.emptied()
				})
			}
		}
	}
}

// A client that asks before sending (Expect: 100-continue) is answered at once, and may stay silent.
func TestExpectationsAreRefusedAtOnce(t *testing.T) {
	s := startWire(t, false, nil)
	for _, row := range refusedUploads[:3] {
		conn, _ := s.dial(t)
		_, err := fmt.Fprintf(conn, "%sHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", row.head, 30<<20)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != row.status || !res.Close {
			t.Errorf("%s: %v, %v, want %d and the end", row.title, res, err, row.status)
		}
		conn.Close()
	}
	s.emptied()
}

// An upload that is taken lets its connection be used again, and one whose body was read to its end does not linger.
func TestConnectionsOfUploadsAreUsedAgain(t *testing.T) {
	s := startWire(t, false, nil)
	body, media := formOf("file", picture.Sample(1, 1000))
	conn, _ := s.dial(t)
	reader := bufio.NewReader(conn)
	for _, token := range []string{"alice-token-1", "unknown-token-1", "alice-token-1"} {
		_, err := fmt.Fprintf(conn, "POST /assets/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			token, media, body.Len(), body.String())
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(reader, nil)
		if err != nil || res.Close {
			t.Fatalf("%v, %v", res, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	s.emptied()
}
