package admin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// ignored takes what a check finds.
type ignored struct{}

func (ignored) Finding(storage.Finding) error { return nil }
func (ignored) Progress(int64, int64)         {}

// A command whose server gives no answer says what came in its place.
func TestHungUpSaysWhy(t *testing.T) {
	for answer, cause := range map[string]string{"": "EOF", "nonsense\r\n\r\n": "malformed HTTP response"} {
		dir := t.TempDir()
		ln, err := net.Listen("unix", filepath.Join(dir, SocketName))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
				}
				_, _ = io.WriteString(conn, answer)
				conn.Close()
			}
		}()
		client := NewClient(dir)
		_, check := client.Check(t.Context(), CheckRequest{}, ignored{})
		_, backup := client.Backup(t.Context(), BackupRequest{})
		_, add := client.AddOrganization(t.Context(), "acme", Admission{})
		for call, err := range map[string]error{"check": check, "backup": backup, "add": add} {
			if !errors.Is(err, errHungUp) || !strings.Contains(err.Error(), cause) {
				t.Errorf("%s of a server that answers %q = %v, want %v and %q", call, answer, err, errHungUp, cause)
			}
		}
	}
}
