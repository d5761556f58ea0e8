package server

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Pages and documents come compressed to those who name gzip, and as they are to everybody else.
func TestPagesAreCompressed(t *testing.T) {
	f := start(t, func(c *Config) { c.Page = true })
	for _, path := range []string{"/", "/docs", "/openapi.json", "/openapi.yaml", "/web/docs.js"} {
		res, plain := f.do(t, http.MethodGet, path, nil, "Accept-Encoding", "br, gzip;q=0.0, *")
		if coding := res.Header.Get("Content-Encoding"); coding != "" || !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s for whom gzip is nothing: coding %q, Vary %q", path, coding, res.Header.Values("Vary"))
		}
		res, packed := f.do(t, http.MethodGet, path, nil, "Accept-Encoding", "br, GZIP; q=0.5")
		unpacked, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil || res.Header.Get("Content-Encoding") != "gzip" || res.ContentLength != int64(len(packed)) {
			t.Fatalf("%s: %v, coding %q, length %d of %d", path, err, res.Header.Get("Content-Encoding"), res.ContentLength, len(packed))
		}
		if text, err := io.ReadAll(unpacked); err != nil || string(text) != plain || len(packed)*2 > len(plain) {
			t.Errorf("%s: %v, %d bytes are %d, which are what comes as it is: %v", path, err, len(packed), len(text), string(text) == plain)
		}
		if head, body := f.do(t, http.MethodHead, path, nil, "Accept-Encoding", "gzip"); body != "" || head.ContentLength != res.ContentLength {
			t.Errorf("HEAD %s: %q, length %d, want that of GET, %d", path, body, head.ContentLength, res.ContentLength)
		}
	}
	for _, refused := range []string{"gzip;Q=0", "gzip ; q = 0.000", "gzip; q=0; x=1", "gzip;x=1;q=0", "gzip;q=", "gzip;q=none"} {
		if res, _ := f.do(t, http.MethodGet, "/docs", nil, "Accept-Encoding", refused); res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%q gets gzip", refused)
		}
	}
	for _, accepted := range []string{"gzip;Q=0.001", "gzip; x=0", "gzip;x=0;q=1"} {
		if res, _ := f.do(t, http.MethodGet, "/docs", nil, "Accept-Encoding", accepted); res.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%q gets no gzip", accepted)
		}
	}
	whole, _ := f.do(t, http.MethodGet, "/web/docs.js", nil)
	same, _ := f.do(t, http.MethodGet, "/web/docs.js", nil, "If-None-Match", whole.Header.Get("ETag"))
	if diff := cmp.Diff(whole.Header.Values("Vary"), same.Header.Values("Vary")); same.StatusCode != http.StatusNotModified || diff != "" {
		t.Errorf("a file that the caller has: %d, Vary (-200 +304):\n%s", same.StatusCode, diff)
	}
	if res, text := f.do(t, http.MethodGet, "/callback", nil, "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "" || text == "" {
		t.Error("a small page is compressed")
	}
}

func BenchmarkCompressedPage(b *testing.B) {
	text := []byte(strings.Repeat("<p>a page of a hundred kilobytes, with words that come again", 1700))
	for b.Loop() {
		compressed(text)
	}
}
