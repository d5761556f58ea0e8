package reference

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Document is an OpenAPI document, version 3.1.
type Document struct {
	OpenAPI    string              `json:"openapi"`
	Info       info                `json:"info"`
	Servers    []server            `json:"servers"`
	Tags       []tag               `json:"tags"`
	Paths      ordered[path]       `json:"paths"`
	Components components          `json:"components"`
	Security   []securityReference `json:"security"`
}

type info struct {
	Title       string `json:"title"`
	Summary     string `json:"summary"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

type server struct {
	URL string `json:"url"`
}

type tag struct {
	Name string `json:"name"`
}

// path has the operations of one path by their methods, in lower case.
type path = ordered[operation]

type components struct {
	Schemas         ordered[Schema]   `json:"schemas"`
	SecuritySchemes ordered[security] `json:"securitySchemes"`
}

// securityReference names security schemes and the scopes that they need.
type securityReference map[string][]string

type security struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	Description string `json:"description"`
	Flows       *flows `json:"flows,omitempty"`
	// SignIn is for "avatard login": the specification has no place for it.
	SignIn *signInClient `json:"x-avatard-sign-in,omitempty"`
}

// signInClient is what a program needs beside the flow to sign somebody in.
type signInClient struct {
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
}

type flows struct {
	AuthorizationCode flow `json:"authorizationCode"`
}

type flow struct {
	AuthorizationURL string          `json:"authorizationUrl"`
	TokenURL         string          `json:"tokenUrl"`
	Scopes           ordered[string] `json:"scopes"`
}

// Names of the security schemes.
const (
	schemeOAuth  = "oauth2"
	schemeBearer = "bearer"
)

// NewDocument describes an API.
func NewDocument(a API) (*Document, error) {
	comments, err := readComments()
	if err != nil {
		return nil, err
	}
	d := &Document{
		OpenAPI: "3.1.0",
		Info: info{
			Title:       "avatard",
			Summary:     "Avatars, and their deletion for real",
			Description: description,
			Version:     a.Version,
		},
		Servers: []server{{a.URL}},
	}
	collected := &schemas{comments: comments}
	for _, o := range a.Operations {
		if known := len(d.Tags); known == 0 || d.Tags[known-1].Name != o.Group {
			d.Tags = append(d.Tags, tag{o.Group})
		}
		if d.Paths.get(o.Path) == nil {
			d.Paths.add(o.Path, new(path))
		}
		made, err := describe(o, a, collected)
		if err != nil {
			return nil, fmt.Errorf("reference: %s: %w", o.ID, err)
		}
		d.Paths.get(o.Path).add(lower(o.Method), made)
	}
	collected.all.add(statusSchema, errorSchema(collected))
	d.Components.Schemas = collected.all
	d.secure(a.SignIn)
	return d, nil
}

const description = "Every call is also served as gRPC, gRPC-Web and Connect, on the same port. " +
	"200 means gone: when a delete answers 200, no byte of the picture is left in any file or object of the server, and a crash cannot bring it back."

// secure says which tokens are taken.
func (d *Document) secure(in *SignIn) {
	if in == nil {
		d.Components.SecuritySchemes.add(schemeBearer, &security{Type: "http", Scheme: "bearer",
			Description: "An access token of the identity provider, which is asked about it (RFC 7662)."})
		d.Security = []securityReference{{schemeBearer: {}}}
		return
	}
	f := flow{AuthorizationURL: in.AuthorizationURL, TokenURL: in.TokenURL}
	for _, s := range in.Scopes {
		f.Scopes.add(s.Name, &s.Use)
	}
	d.Components.SecuritySchemes.add(schemeOAuth, &security{Type: "oauth2",
		Description: "Authorization code with PKCE (RFC 7636). A token of any other flow is taken as well.", Flows: &flows{f},
		SignIn: &signInClient{in.Issuer, in.ClientID}})
	d.Security = []securityReference{{schemeOAuth: in.requested()}}
}

// JSON returns the document as JSON, indented.
func (d *Document) JSON() ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return text.Bytes(), nil
}

// YAML returns the document as YAML.
func (d *Document) YAML() ([]byte, error) {
	text, err := d.JSON()
	if err != nil {
		return nil, err
	}
	var tree yaml.Node // JSON is YAML, and a tree keeps the order of its members
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	blockStyle(&tree)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&tree); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return out.Bytes(), nil
}

// blockStyle has a tree written as people write YAML: on lines of its own, quoted only where it has to be.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		blockStyle(c)
	}
}
