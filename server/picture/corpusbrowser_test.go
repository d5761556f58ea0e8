package picture

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"image"
	"image/color"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/browser.html
var browserPage string

// seen is a picture as a browser shows it.
type seen struct {
	Width, Height int // 0 when it shows nothing
	Pixels        [][4]uint8
}

// browser returns Chromium's path. Only in CI its absence is a failure.
func browser(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal("chromium is missing")
	default:
		t.Skip("chromium is missing, so this is not tested here")
	}
	return path
}

// look makes a browser show pictures and returns their sizes, and the pixels in the middles of the quarters.
func look(t *testing.T, path string, pictures [][]byte) []seen {
	t.Helper()
	told := make(chan []seen, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch number, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); {
		case err == nil && number < len(pictures):
			w.Header().Set("Content-Type", "image/png") // which of the kinds it is, the browser sees, but for one
			if bytes.HasPrefix(pictures[number], []byte("<svg")) {
				w.Header().Set("Content-Type", "image/svg+xml")
			}
			_, _ = w.Write(pictures[number])
		case r.URL.Path == "/":
			_, _ = w.Write([]byte(strings.ReplaceAll(browserPage, "COUNT", strconv.Itoa(len(pictures)))))
		case r.URL.Path == "/told":
			var all []seen
			if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
				t.Errorf("the browser tells: %v", err)
			}
			told <- all
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	cmd := exec.CommandContext(t.Context(), path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
		"--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--force-color-profile=srgb",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", srv.URL)
	ended := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	select {
	case all := <-told:
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended // with the processes that it started
		return all
	case err := <-ended:
		t.Fatalf("the browser ended: %v", err)
	}
	return nil
}

// TestCorpusInBrowser compares stored pictures with those that Chromium shows.
func TestCorpusInBrowser(t *testing.T) {
	path := browser(t)
	all := corpus(t)
	var pictures [][]byte
	for _, s := range all {
		pictures = append(pictures, s.data)
	}
	shown := look(t, path, pictures)
	if len(shown) != len(all) {
		t.Fatalf("the browser tells of %d pictures, want %d", len(shown), len(all))
	}
	for i, s := range all {
		got := shown[i]
		does := "hidden"
		switch {
		case got.Width == 0:
		case s.refused == "":
			does = s.compare(got)
		case got.blank():
			does = "blank"
		default:
			does = ""
		}
		if does != s.chromium {
			t.Errorf("%s: the browser shows %v, which is %q, want %q", s.name, got, does, s.chromium)
		}
	}
}

func (s specimen) compare(got seen) string {
	if image.Pt(got.Width, got.Height) != s.size {
		return "other"
	}
	for i, p := range got.Pixels {
		if !near(color.NRGBA{p[0], p[1], p[2], p[3]}, s.quarters[i], flatTolerance) {
			return "other"
		}
	}
	return ""
}

// blank reports whether nothing can be seen.
func (s seen) blank() bool {
	for _, p := range s.Pixels {
		if p[3] != 0 {
			return false
		}
	}
	return true
}
