package reference

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed docs.html
var pageText string

var pageTemplate = template.Must(template.New("docs").Funcs(template.FuncMap{
	"paragraphs": func(s string) []string { return strings.Split(s, "\n\n") },
	"words":      codeParts,
	"pretty":     pretty,
	"lower":      strings.ToLower,
	"upper":      strings.ToUpper,
}).Parse(pageText))

// page is what the template sees: the document, and beside it what OpenAPI has no place for.
type page struct {
	*Document
	Settings map[string]any
	Groups   []group
}

// PageSettings returns what the code of pages has to know in order to sign people in; with nil that nobody can. They hold nothing
// secret: everybody gets the page.
func PageSettings(in *SignIn) map[string]any {
	if in == nil {
		return map[string]any{"clientId": ""}
	}
	return map[string]any{
		"clientId": in.ClientID,
		"signIn":   map[string]string{"issuer": in.Issuer, "authorizationUrl": in.AuthorizationURL, "tokenUrl": in.TokenURL, "revocationUrl": in.RevocationURL},
		"scope":    strings.Join(in.requested(), " "),
	}
}

type group struct {
	Title      string
	Operations []pageOperation
}

type pageOperation struct {
	operation
	Method, Path string
	Permission   string
	Samples      []Sample
	Tries        []string // names of the values that a call takes
	Organization bool
	Upload       *Upload
}

// WritePage writes the API's reference for people, which is the document that was made of the same API.
func (d *Document) WritePage(w io.Writer, a API) error {
	p := page{Document: d, Settings: PageSettings(a.SignIn)}
	p.Settings["values"] = map[string]string{"userId": ExampleUser, "orgId": ExampleOrganization, "organizationId": ExampleOrganization, "receiptId": ExampleReceipt}
	for _, o := range a.Operations {
		samples, err := samplesOf(o)
		if err != nil {
			return fmt.Errorf("reference: %s: %w", o.ID, err)
		}
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Title != o.Group {
			p.Groups = append(p.Groups, group{Title: o.Group})
		}
		last := &p.Groups[len(p.Groups)-1]
		shown := pageOperation{operation: *d.Paths.get(o.Path).get(lower(o.Method)), Method: o.Method, Path: o.Path, Permission: o.Permission,
			Samples: samples, Upload: o.Upload}
		for _, v := range o.Parameters {
			if v.In == InPath {
				shown.Tries = append(shown.Tries, v.Name)
			}
			shown.Organization = shown.Organization || v.Name == "x-zitadel-orgid"
		}
		last.Operations = append(last.Operations, shown)
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return nil
}

// pretty writes a value as JSON that people can read.
func pretty(value any) (string, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(value)
	return strings.TrimSpace(text.String()), err
}

// codePart is a piece of a text; Code stood between backquotes.
type codePart struct {
	Text string
	Code bool
}

func codeParts(text string) (parts []codePart) {
	for i, part := range strings.Split(text, "`") {
		parts = append(parts, codePart{part, i%2 == 1})
	}
	return parts
}

// Resolve returns the schema that a reference names, with those inside it resolved, too.
func (d *Document) Resolve(s *Schema) *Schema {
	if name, is := strings.CutPrefix(s.Ref, "#/components/schemas/"); is {
		s = d.Components.Schemas.get(name)
	}
	whole := *s
	if s.Items != nil {
		whole.Items = d.Resolve(s.Items)
	}
	whole.Properties = nil
	for _, p := range s.Properties {
		whole.Properties.add(p.Name, d.Resolve(p.Value))
	}
	return &whole
}
