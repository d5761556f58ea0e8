package server

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
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
