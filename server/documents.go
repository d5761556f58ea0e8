package server

import (
	"bytes"
	"net/http"
	"strconv"

	"avatard/server/reference"
)

// documents are what describes the API to programs.
type documents struct{ json, yaml, descriptors, page []byte }

// placeholderURL stands in a document for the address at which the server was called.
const placeholderURL = "https://avatard.invalid"

// newDocuments makes the documents, when the first one is asked for. They are the same for everybody, but for the address.
func (s *Server) newDocuments() (d documents, err error) {
	api := reference.API{URL: placeholderURL, Version: s.config.Version, SignIn: s.config.SignIn, Operations: s.operations()}
	described, err := reference.NewDocument(api)
	if err != nil {
		return d, err
	}
	if d.json, err = described.JSON(); err != nil {
		return d, err
	}
	if d.yaml, err = described.YAML(); err != nil {
		return d, err
	}
	var page bytes.Buffer
	if err := described.WritePage(&page, api); err != nil {
		return d, err
	}
	d.page = page.Bytes()
	d.descriptors, err = reference.Descriptors()
	return d, err
}

// document returns a function that answers with one document.
func (s *Server) document(mediaType string, text func(documents) []byte) serveFunc {
	return func(w http.ResponseWriter, r *http.Request, _ []string) error {
		all, err := s.documents()
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		writePage(w, r, bytes.Replace(text(all), []byte(placeholderURL), []byte(calledURL(r)), 1))
		return nil
	}
}

// writePage writes an answer whose headers are set, or those alone.
func writePage(w http.ResponseWriter, r *http.Request, text []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) //nolint:gosec // calledURL lets nothing through but letters, digits and what stands between them in an address
	}
}

// calledURL is the address at which a request came, as its sender has it. One that cannot stand in a document becomes the root.
func calledURL(r *http.Request) string {
	for _, c := range []byte(r.Host) {
		if c != '.' && c != '-' && c != ':' && c != '[' && c != ']' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "/"
		}
	}
	switch {
	case r.Host == "":
		return "/"
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
