package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDevHosts(t *testing.T) {
	tests := []struct {
		host string
		want int
	}{
		{"localhost", 200}, {"LocalHost:8080", 200}, {"127.0.0.1", 200}, {"127.0.0.1:1", 200},
		{"[::1]", 200}, {"[::1]:8080", 200},
		{"", 421}, {"evil.example", 421}, {"evil.example:8080", 421}, {"localhost.evil.example", 421},
		{"127.0.0.1.evil.example:80", 421}, {"127.0.0.2", 421}, {"0.0.0.0", 421}, {"[::]:8080", 421},
		{"localhost:", 421}, {"localhost:80@evil.example", 421}, {"evil.example@localhost", 421}, {"localhost.", 421},
	}
	handler := onlyDevHosts(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("Host %q: %d, want %d", tt.host, w.Code, tt.want)
		}
	}
}

func TestDevListen(t *testing.T) {
	tests := []struct {
		addr string
		ok   bool
	}{
		{"127.0.0.1:8080", true}, {"localhost:0", true}, {"[::1]:65535", true},
		{":8080", false}, {"0.0.0.0:8080", false}, {"[::]:8080", false}, {"192.0.2.1:8080", false},
		{"example.org:8080", false}, {"127.0.0.1", false}, {"127.0.0.1:65536", false}, {"127.0.0.1:http", false}, {"", false},
	}
	for _, tt := range tests {
		if err := checkDevListen(tt.addr); (err == nil) != tt.ok {
			t.Errorf("checkDevListen(%q) = %v, want ok %v", tt.addr, err, tt.ok)
		}
	}
}

func TestDevOrigins(t *testing.T) {
	tests := []struct {
		origin string
		want   bool
	}{
		{"http://localhost:5173", true}, {"https://127.0.0.1", true}, {"http://[::1]:80", true},
		{"http://localhost.evil.example", false}, {"http://evil.example", false}, {"null", false}, {"", false},
		{"file://localhost", false}, {"http://localhost@evil.example", false}, {"http://evil.example#localhost", false},
	}
	for _, tt := range tests {
		if got := isDevOrigin(tt.origin); got != tt.want {
			t.Errorf("isDevOrigin(%q) = %v, want %v", tt.origin, got, tt.want)
		}
	}
}

func TestShellText(t *testing.T) {
	got := shellText([]variable{{"A", "1"}, {"B", "it's $HOME `x` \"y\"\n"}})
	want := "A='1'\nB='it'\\''s $HOME `x` \"y\"\n'\nexport A B\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shellText (-want +got):\n%s", diff)
	}
}

func TestWriteEnvFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "env")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil { // the old mode must not stay
		t.Fatal(err)
	}
	if err := writeEnvFile(file, []variable{{"A", "1"}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode is %v, %v, want 0600", info.Mode(), err)
	}
	if data, _ := os.ReadFile(file); string(data) != "A='1'\nexport A\n" {
		t.Errorf("the file holds %q", data)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("%d files, want no other left beside it", len(names))
	}
}

func TestRemoveEnvFile(t *testing.T) {
	dir := t.TempDir()
	if err := removeEnvFile(filepath.Join(dir, "none")); err != nil {
		t.Errorf("removeEnvFile without a file = %v, want nil", err)
	}
	if err := removeEnvFile(dir); err == nil {
		t.Error("removeEnvFile of a directory = nil, want an error")
	}
}

func TestShellPath(t *testing.T) {
	for path, want := range map[string]string{
		".avatard.env": "./.avatard.env", "/tmp/a.env": "/tmp/a.env", "a b/it's": `'a b/it'\''s'`, "x/$HOME": `'x/$HOME'`,
	} {
		if got := shellPath(path); got != want {
			t.Errorf("shellPath(%q) = %s, want %s", path, got, want)
		}
	}
}
