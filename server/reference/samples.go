package reference

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// Sample is an operation's call in one language.
type Sample struct {
	Language string
	Parts    []Part
}

// Part is a piece of a sample: text, or a value that the reader fills in.
type Part struct{ Text, Value string }

// languages are those of samples, in the order of their tabs.
var languages = [...]struct{ title, file string }{
	{"curl", "curl"}, {"grpcurl", "grpcurl"}, {"JavaScript", "javascript"}, {"Go", "go"}, {"Python", "python"}, {"C#", "csharp"}, {"PHP", "php"},
}

//go:embed samples/*.txt
var sampleFiles embed.FS

// Marks around the name of a value in a sample.
const valueStart, valueEnd = "\x02", "\x03"

var sampleTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"value": func(name string) string { return valueStart + name + valueEnd },
	"lower": strings.ToLower,
	"title": func(s string) string { return s[:1] + strings.ToLower(s[1:]) },
}).ParseFS(sampleFiles, "samples/*.txt"))

// call is what templates of samples see of an operation.
type call struct {
	Operation
	Place                    string   // the path, with marks for its variables
	RPC, Service, File, Call string   // "" without a procedure
	Stream                   bool     // the procedure answers one
	Fields                   []string // of the procedure's request, those that have to be there
	Organization             bool
	Picture                  bool // the answer is one
}

func callOf(o Operation) call {
	c := call{Operation: o, Place: o.Path}
	for _, p := range o.Parameters {
		switch {
		case p.In == InPath:
			c.Place = strings.Replace(c.Place, "{"+p.Name+"}", valueStart+p.Name+valueEnd, 1)
			c.Fields = append(c.Fields, p.Name)
		case p.Name == "x-zitadel-orgid":
			c.Organization = true
		}
	}
	c.Picture = slices.ContainsFunc(o.Answers, func(a Answer) bool { return len(a.MediaTypes) > 0 })
	if m := o.Procedure; m != nil {
		name := string(m.Name())
		c.RPC = string(m.Parent().FullName()) + "/" + name
		c.Service, c.Call = string(m.Parent().Name()), strings.ToLower(name[:1])+name[1:]
		c.File = strings.TrimSuffix(m.ParentFile().Path(), ".proto")
		c.Stream = m.IsStreamingServer()
	}
	return c
}

// samplesOf returns an operation's samples. A language in which it cannot be called has none.
func samplesOf(o Operation) (all []Sample, err error) {
	c := callOf(o)
	for _, language := range languages {
		var text strings.Builder
		if err := sampleTemplates.ExecuteTemplate(&text, language.file+".txt", c); err != nil {
			return nil, fmt.Errorf("sample in %s: %w", language.title, err)
		}
		if s := strings.TrimSpace(text.String()); s != "" {
			all = append(all, Sample{language.title, partsOf(s)})
		}
	}
	return all, nil
}

// partsOf cuts a text at its marks.
func partsOf(text string) (parts []Part) {
	for text != "" {
		before, rest, marked := strings.Cut(text, valueStart)
		if before != "" {
			parts = append(parts, Part{Text: before})
		}
		if !marked {
			break
		}
		name, behind, _ := strings.Cut(rest, valueEnd)
		parts = append(parts, Part{Value: name})
		text = behind
	}
	return parts
}
