package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"

	"golang.org/x/text/language"

	"example.org/avatard/server/reference"
	"example.org/avatard/web"
)

// personLanguages are those of the page for people, the first for everybody else.
var personLanguages = []language.Tag{language.English, language.German}

var personMatcher = language.NewMatcher(personLanguages)

// personPages makes the page for people in every language.
func (s *Server) personPages(in *reference.SignIn) (pages [][]byte, err error) {
	page, err := template.ParseFS(web.Files, "person.html")
	if err != nil {
		return nil, err
	}
	for _, tag := range personLanguages {
		text, err := web.Files.ReadFile("texts." + tag.String() + ".json")
		if err != nil {
			return nil, err
		}
		texts := map[string]string{}
		if err := json.Unmarshal(text, &texts); err != nil {
			return nil, fmt.Errorf("texts in %s: %w", tag, err)
		}
		settings := reference.PageSettings(in)
		settings["texts"], settings["maxBytes"], settings["maxSide"] = texts, s.config.Pictures.MaxUploadBytes(), personSide
		var made bytes.Buffer
		if err := page.Execute(&made, map[string]any{"Language": tag.String(), "T": texts, "Settings": settings}); err != nil {
			return nil, err
		}
		pages = append(pages, made.Bytes())
	}
	return pages, nil
}

// personSide is how many pixels a side the page scales pictures down to: those that are stored have no more.
const personSide = 1024

// servePerson answers with the page for people, in the language that their browser prefers.
func (s *Server) servePerson(w http.ResponseWriter, r *http.Request, _ []string) error {
	all, err := s.describe(r.Context())
	if err != nil {
		return err
	}
	_, chosen := language.MatchStrings(personMatcher, r.Header.Get("Accept-Language"))
	describePage(w.Header(), all.policy)
	w.Header().Add("Vary", "Accept-Language")
	writePage(w, r, all.person[chosen])
	return nil
}
