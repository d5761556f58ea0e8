package server

import (
	"bytes"
	"fmt"
	"net/http"

	"avatard/server/reference"
)

// documents are what describes the API to programs.
type documents struct{ json, yaml, descriptors []byte }

// placeholderURL stands in a document for the address at which the server was called.
const placeholderURL = "https://avatard.invalid"

// newDocuments makes the documents, when the first one is asked for. They are the same for everybody, but for the address.
func (s *Server) newDocuments() (d documents, err error) {
	described, err := reference.NewDocument(reference.API{URL: placeholderURL, Version: s.config.Version, SignIn: s.config.SignIn, Operations: s.operations()})
	if err != nil {
		return d, err
	}
	if d.json, err = described.JSON(); err != nil {
		return d, err
	}
	if d.yaml, err = described.YAML(); err != nil {
		return d, err
	}
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
		answer := bytes.Replace(text(all), []byte(placeholderURL), []byte(calledURL(r)), 1)
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Content-Length", fmt.Sprint(len(answer)))
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		w.WriteHeader(http.StatusOK)
		if r.Method != http.MethodHead {
			_, _ = w.Write(answer) //nolint:gosec // calledURL lets nothing through but letters, digits and what stands between them in an address
		}
		return nil
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
