package server

import (
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"example.org/avatard/server/reference"
	"example.org/avatard/web"
)

// pageFiles are the files of pages that are served, by their names, with their entity tags.
var pageFiles = func() map[string]pageFile {
	all := map[string]pageFile{}
	entries, _ := web.Files.ReadDir(".")
	for _, entry := range entries {
		if ext := path.Ext(entry.Name()); ext == ".html" || ext == ".json" { // they become part of pages
			continue
		}
		if text, err := web.Files.ReadFile(entry.Name()); err == nil {
			sum := sha256.Sum256(text)
			all[entry.Name()] = pageFile{text, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
		}
	}
	return all
}()

type pageFile struct {
	text []byte
	etag string
}

// servePageFile answers with a file of the pages. Caches ask each time whether it is still the same.
func (s *Server) servePageFile(w http.ResponseWriter, r *http.Request, variables []string) error {
	file, there := pageFiles[variables[0]]
	if !there {
		return &apiError{reason: noRoute}
	}
	h := w.Header()
	h.Set("ETag", "W/"+file.etag) // weak: it is the same compressed
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	if namesETag(r.Header["If-None-Match"], file.etag) {
		varyByCoding(h, file.text)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(variables[0])))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	writePage(w, r, file.text)
	return nil
}

// serveDocs answers with the reference for people.
func (s *Server) serveDocs(w http.ResponseWriter, r *http.Request, _ []string) error {
	all, err := s.describe(r.Context())
	if err != nil {
		return err
	}
	describePage(w.Header(), all.policy)
	writePage(w, r, all.page)
	return nil
}

// serveCallback answers with the page to which the provider sends people back.
func (s *Server) serveCallback(w http.ResponseWriter, r *http.Request, _ []string) error {
	text, err := web.Files.ReadFile("callback.html")
	if err != nil {
		return err
	}
	describePage(w.Header(), pagePolicy(nil))
	writePage(w, r, text)
	return nil
}

// pagePolicy is the Content-Security-Policy of a page: its code and style come from here alone; it talks to here, and to the provider where
// tokens are got and ended.
func pagePolicy(in *reference.SignIn) string {
	policy := "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
	if in == nil {
		return policy
	}
	if origins := slices.Compact([]string{originOf(in.TokenURL), originOf(in.RevocationURL)}); origins[0] != "" {
		policy += strings.TrimRight("; connect-src 'self' "+strings.Join(origins, " "), " ")
	}
	return policy
}

// describePage sets the headers of a page.
func describePage(h http.Header, policy string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// originOf returns the origin of an address, "" where it has none.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
