package server

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// minCompressed is how many bytes a page must have to be sent compressed.
const minCompressed = 1 << 10

// compressors are kept: one takes 800 kB, and most of the time of a small page.
var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// writePage writes an answer whose headers are set, or those alone, compressed for those who accept that. Nothing in it is secret, so
// its length may tell of its content.
func writePage(w http.ResponseWriter, r *http.Request, text []byte) {
	h := w.Header()
	if varyByCoding(h, text) && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		text = compressed(text)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) //nolint:gosec // calledURL lets nothing through but letters, digits and what stands between them in an address
	}
}

// varyByCoding reports whether a page is sent compressed to those who accept that, and tells caches so.
func varyByCoding(h http.Header, text []byte) bool {
	long := len(text) >= minCompressed
	if long {
		h.Add("Vary", "Accept-Encoding")
	}
	return long
}

func compressed(text []byte) []byte {
	var made bytes.Buffer
	w, _ := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&made)
	_, _ = w.Write(text) // writing into memory does not fail
	_ = w.Close()
	return made.Bytes()
}

// acceptsGzip reports whether a client named gzip as a coding that it takes (RFC 9110 section 12.5.3). A client that named everything
// gets none, and neither does one whose weight for it is 0 or cannot be read.
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(coding, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return weighs(parameters)
			}
		}
	}
	return false
}

// weighs reports whether the parameters of a coding have no weight, or one over 0.
func weighs(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err == nil && q > 0
		}
	}
	return true
}
