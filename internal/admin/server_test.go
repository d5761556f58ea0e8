package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

func TestAdminAnswers(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		path    string
		body    string
		status  int
		without string // must not be in the answer
	}{
		{"a field that is not known may matter to whoever sent it", nil, "/organisations", `{"organisation":"a","dry_run":true}`, 400, "dry_run"},
		{"no JSON", nil, "/organisations", `hello`, 400, "hello"},
		{"more than a request can be", nil, "/organisations", `{"organisation":"` + strings.Repeat("a", maxBytes) + `"}`, 400, "aaa"},
		{"no organisation", nil, "/organisations", `{}`, 409, ""},
		{"no user", nil, "/users", `{"organisation":"a"}`, 409, ""},
		{"the store cannot do it now", storage.ErrUnavailable, "/organisations", `{"organisation":"a"}`, 503, ""},
		{"the cause of an internal failure is not in the answer", errors.New("planted"), "/organisations", `{"organisation":"a"}`, 500, "planted"},
		{"another path", nil, "/", `{}`, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			a := &Server{Store: faulty.Engine{Store: faulty.Always(nil, faulty.Fault{Err: tt.err})}, Logger: slog.New(slog.DiscardHandler)}
			stop, err := Serve(dir, a)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return NewClient(dir).dial(ctx)
			}}}
			resp, err := client.Post("http://avatard"+tt.path, "application/json", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || tt.without != "" && strings.Contains(string(answer), tt.without) {
				t.Errorf("POST %s = %d %s, want %d without %q", tt.path, resp.StatusCode, answer, tt.status, tt.without)
			}
		})
	}
}

// A socket that is a link is neither replaced nor spoken to: behind it may be anybody.
func TestAdminSocketIsNoLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path); err != nil {
		t.Fatal(err)
	}
	if stop, err := Serve(dir, &Server{}); !errors.Is(err, storage.ErrLink) || !strings.Contains(err.Error(), path) {
		t.Errorf("Serve = %v, want %v", err, storage.ErrLink)
		if err == nil {
			stop()
		}
	}
	if conn, err := NewClient(dir).dial(t.Context()); !errors.Is(err, storage.ErrLink) || !strings.Contains(err.Error(), path) {
		t.Errorf("dial = %v, %v, want %v", conn, err, storage.ErrLink)
	}
	if target, err := os.Readlink(path); err != nil {
		t.Errorf("the link is gone: %q, %v", target, err)
	}
}

func TestFsckSocketRefuses(t *testing.T) {
	dir := t.TempDir()
	stop, err := Serve(dir, &Server{Store: faulty.Engine{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return NewClient(dir).dial(ctx)
	}}}
	for body, want := range map[string]int{`{"dry_run":true}`: 400, `hello`: 400} {
		resp, err := client.Post("http://avatard/checks", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s = %d, want %d", body, resp.StatusCode, want)
		}
	}
}
