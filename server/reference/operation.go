package reference

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// operation is one of a path.
type operation struct {
	ID          string               `json:"operationId"`
	Tags        []string             `json:"tags"`
	Summary     string               `json:"summary"`
	Description string               `json:"description"`
	Parameters  []parameter          `json:"parameters,omitempty"`
	RequestBody *body                `json:"requestBody,omitempty"`
	Responses   ordered[response]    `json:"responses"`
	Security    *[]securityReference `json:"security,omitempty"` // nil: as the document says
}

type parameter struct {
	Name        string  `json:"name"`
	In          In      `json:"in"`
	Required    bool    `json:"required,omitempty"`
	Description string  `json:"description"`
	Schema      *Schema `json:"schema"`
}

type body struct {
	Required bool           `json:"required"`
	Content  ordered[media] `json:"content"`
}

type media struct {
	Schema   *Schema         `json:"schema,omitempty"`
	Example  any             `json:"example,omitempty"`
	Examples ordered[sample] `json:"examples,omitempty"`
}

// sample is one of several examples.
type sample struct {
	Summary string `json:"summary"`
	Value   any    `json:"value"`
}

type response struct {
	Description string          `json:"description"`
	Headers     ordered[header] `json:"headers,omitempty"`
	Content     ordered[media]  `json:"content,omitempty"`
}

type header struct {
	Description string  `json:"description"`
	Schema      *Schema `json:"schema"`
}

// rpcTypes are the media types of messages beside application/json. Their bytes are protobuf, each message behind a prefix of five
// bytes with its length; the schema is that of the same message in JSON.
var rpcTypes = []string{"application/grpc", "application/grpc-web+proto"}

func lower(method string) string { return strings.ToLower(method) }

// describe returns an operation as it stands in a document.
func describe(o Operation, a API, s *schemas) (*operation, error) {
	made := &operation{ID: o.ID, Tags: []string{o.Group}, Summary: o.Title, Description: o.words(s.comments)}
	if o.Open {
		made.Security = &[]securityReference{}
	}
	for _, p := range o.Parameters {
		made.Parameters = append(made.Parameters, parameter{Name: p.Name, In: p.In, Required: p.In == InPath, Description: p.Text, Schema: p.Schema})
	}
	if o.Upload != nil {
		made.RequestBody = o.Upload.body()
	}
	for _, answer := range o.Answers {
		described, err := answer.describe(o, s)
		if err != nil {
			return nil, err
		}
		made.Responses.add(strconv.Itoa(answer.Status), described)
	}
	byStatus := map[int][]Error{}
	for _, e := range o.Errors {
		byStatus[e.Status] = append(byStatus[e.Status], e)
	}
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		made.Responses.add(strconv.Itoa(status), describeErrors(status, byStatus[status], o))
	}
	if len(o.Errors) > 0 {
		made.Responses.add("default", &response{Description: "Any other error.", Content: errorContent(o, nil)})
	}
	return made, nil
}

// words are the text of an operation, that of its procedure's comment and what it needs.
func (o Operation) words(c comments) string {
	text := o.Text
	if o.Procedure != nil {
		text = strings.TrimSpace(c.of(o.Procedure) + "\n\n" + text)
		text += "\n\nThe same as an RPC: `" + string(o.Procedure.Parent().FullName()) + "/" + string(o.Procedure.Name()) + "`."
	}
	if o.Permission != "" && o.Procedure == nil {
		text += "\n\nNeeds the permission `" + o.Permission + "` in the organisation that the call acts on."
	}
	return strings.TrimSpace(text)
}

func (u *Upload) body() *body {
	form := &Schema{Type: "object", Required: []string{u.Field}}
	form.Properties.add(u.Field, &Schema{Type: "string", MediaType: "application/octet-stream",
		Description: "A picture of at most " + strconv.Itoa(u.MaxBytes) + " bytes: " + strings.Join(u.MediaTypes, ", ") + ". What counts is the content."})
	b := &body{Required: true}
	b.Content.add("multipart/form-data", &media{Schema: form})
	return b
}

func (a Answer) describe(o Operation, s *schemas) (*response, error) {
	made := &response{Description: a.Text}
	for _, h := range a.Headers {
		made.Headers.add(h.Name, &header{h.Text, &Schema{Type: "string"}})
	}
	switch {
	case a.Message != nil:
		ref := s.of(a.Message)
		example, err := exampleOf(a.Message)
		if err != nil {
			return nil, err
		}
		types := o.mediaTypes()
		if a.Stream {
			line := &Schema{Type: "object", Description: "A line of JSON: a message, or an error behind the first message, with which the answer ends."}
			line.Properties.add("result", ref)
			line.Properties.add("error", &Schema{Ref: "#/components/schemas/" + statusSchema})
			made.Content.add("application/x-ndjson", &media{Schema: line, Example: map[string]any{"result": example}})
			types = rpcTypes
		}
		for _, name := range types {
			made.Content.add(name, &media{Schema: ref, Example: example})
		}
	case a.Plain != "":
		made.Content.add("text/plain", &media{Schema: &Schema{Type: "string"}, Example: a.Plain})
	}
	for _, name := range a.MediaTypes {
		made.Content.add(name, &media{})
	}
	return made, nil
}

// mediaTypes are those in which an operation answers messages.
func (o Operation) mediaTypes() []string {
	all := []string{"application/json"}
	if o.Procedure != nil {
		all = append(all, rpcTypes...)
	}
	return all
}

// describeErrors describes the errors that one status stands for.
func describeErrors(status int, errors []Error, o Operation) *response {
	made := &response{Description: http.StatusText(status) + "."}
	for _, e := range errors {
		for _, h := range e.Headers {
			if made.Headers.get(h.Name) == nil {
				made.Headers.add(h.Name, &header{h.Text, &Schema{Type: "string"}})
			}
		}
	}
	made.Content = errorContent(o, errors)
	return made
}

func errorContent(o Operation, errors []Error) (all ordered[media]) {
	for _, name := range o.mediaTypes() {
		m := &media{Schema: &Schema{Ref: "#/components/schemas/" + statusSchema}}
		for i, e := range errors {
			if e.OnlyREST && slices.Contains(rpcTypes, name) {
				continue
			}
			title := e.ID
			if title == "" {
				title = "error" + strconv.Itoa(i+1)
			}
			for m.Examples.get(title) != nil {
				title += "-" + strconv.Itoa(i+1)
			}
			m.Examples.add(title, &sample{Summary: e.Message, Value: e.example()})
		}
		if len(errors) == 0 || len(m.Examples) > 0 {
			all.add(name, m)
		}
	}
	return all
}
