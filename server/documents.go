package server

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"example.org/avatard/server/reference"
)

// documents are what describes the API to programs and people.
type documents struct {
	json, yaml, descriptors, protos, page []byte
	person                                [][]byte // by language
	policy                                string   // of the pages
}

// documentCache keeps the documents with the provider's sign-in, once that is known, and those without.
type documentCache struct {
	mu            sync.Mutex // held while they are made
	with, without atomic.Pointer[documents]
}

// describe returns the documents. They are the same for everybody, but for the address.
func (s *Server) describe(ctx context.Context) (*documents, error) {
	if made := s.documents.with.Load(); made != nil {
		return made, nil
	}
	kept, in := &s.documents.without, (*reference.SignIn)(nil)
	if s.config.SignIn != nil {
		if in = s.config.SignIn(ctx); in != nil {
			kept = &s.documents.with
		}
	}
	s.documents.mu.Lock()
	defer s.documents.mu.Unlock()
	if made := kept.Load(); made != nil {
		return made, nil
	}
	made, err := s.newDocuments(in)
	if err == nil {
		kept.Store(made)
	}
	return made, err
}

// placeholderURL stands in a document for the address at which the server was called.
const placeholderURL = "https://avatard.invalid"

func (s *Server) newDocuments(in *reference.SignIn) (*documents, error) {
	d := &documents{policy: pagePolicy(in)}
	api := reference.API{URL: placeholderURL, Version: s.config.Version, SignIn: in, Operations: s.operations()}
	described, err := reference.NewDocument(api)
	if err != nil {
		return nil, err
	}
	if d.json, err = described.JSON(); err != nil {
		return nil, err
	}
	if d.yaml, err = described.YAML(); err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := described.WritePage(&page, api); err != nil {
		return nil, err
	}
	d.page = page.Bytes()
	if d.person, err = s.personPages(in); err != nil {
		return nil, err
	}
	if d.descriptors, err = reference.Descriptors(); err != nil {
		return nil, err
	}
	d.protos, err = reference.Protos()
	return d, err
}

// document returns a function that answers with one document.
func (s *Server) document(mediaType string, text func(*documents) []byte) serveFunc {
	return func(w http.ResponseWriter, r *http.Request, _ []string) error {
		all, err := s.describe(r.Context())
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		writePage(w, r, bytes.Replace(text(all), []byte(placeholderURL), []byte(s.calledURL(r)), 1))
		return nil
	}
}

// calledURL is the address at which a request came, as its sender has it: with the scheme that a trusted proxy was called with, and
// the name in Host. One that cannot stand in a document becomes the root.
func (s *Server) calledURL(r *http.Request) string {
	for _, c := range []byte(r.Host) {
		if c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "/"
		}
	}
	if r.Host == "" {
		return "/"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return cmp.Or(proxyChain{s.config.Proxies}.scheme(r), scheme) + "://" + r.Host
}
