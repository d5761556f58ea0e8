//go:build unix

package e2e

import (
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
)

// Programs that close their direction once they have asked, as "nc -N" and scripts do, get their answers. Each asks with a token of its own, about
// which the provider is asked: so the end is there before the answer.
func TestHalfClosedClients(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	_, url := startServe(t, p.Settings(), dir)
	address := strings.TrimPrefix(url, "http://")
	request := func() string {
		return "DELETE /management/v1/users/" + devidp.UserAlice + "/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + p.mint(t, managerID) + "\r\n\r\n"
	}
	want := func(client, answer string) {
		t.Helper()
		if !strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(answer, "}") {
			t.Errorf("%s: %q, want 200", client, answer)
		}
	}
	for range 10 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.WriteString(conn, request()); err == nil {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		conn.Close()
		want("a raw socket", string(answer))
	}
	python := Program(t, "python3")
	for range 3 {
		cmd := exec.CommandContext(t.Context(), python, "-c", `import socket, sys
host, port = sys.argv[1].split(":")
with socket.create_connection((host, int(port)), 20) as s:
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    while piece := s.recv(65536):
        sys.stdout.buffer.write(piece)`, address)
		cmd.Stdin = strings.NewReader(request())
		answer, err := cmd.Output()
		if err != nil {
			t.Error(err)
		}
		want("Python", string(answer))
	}
}
