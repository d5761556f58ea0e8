// Package reference describes the API of a server, for people and for programs: as an OpenAPI document, and as a page of the same content.
// Both are made of one value, so that they cannot differ.
//
//	reference.go  API: what is described
//	  comments.go   what the .proto files say in words
//	  schema.go     messages ─► JSON Schema, with the rules of protovalidate
//	  example.go    JSON Schema ─► an example
//	openapi.go    API ─► OpenAPI 3.1
//	  operation.go  one operation of it
//
// Package server says which operations there are, who may call them and which errors they answer.
package reference

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// API is what is described. Nothing changes it.
type API struct {
	// URL is where the server is called, without a slash at its end.
	URL string
	// Version is the version of the program.
	Version string
	// SignIn is nil where the reader has to bring a token.
	SignIn *SignIn
	// Operations are in the order in which they are shown.
	Operations []Operation
}

// SignIn is how the provider gives tokens to people: by the authorization code flow (RFC 6749 section 4.1) with PKCE (RFC 7636).
type SignIn struct {
	// Issuer is what the provider may name itself when it sends somebody back (RFC 9207).
	Issuer                     string
	AuthorizationURL, TokenURL string
	// RevocationURL is where a token is ended (RFC 7009), "" where the provider has no place for that.
	RevocationURL string
	// ClientID is the public client that the page signs in as.
	ClientID string
	// Scopes are what a token has to be asked for with.
	Scopes []Scope
}

// Scope is one scope and what it is good for. One that is only mentioned is what the published reference of the call names; tokens for
// this server are not asked for with it.
type Scope struct {
	Name, Use string
	Mentioned bool
}

// requested are the scopes that a token is asked for with.
func (in *SignIn) requested() (names []string) {
	for _, s := range in.Scopes {
		if !s.Mentioned {
			names = append(names, s.Name)
		}
	}
	return names
}

// Operation is one thing that can be called.
type Operation struct {
	// ID is its name in programs, unique.
	ID string
	// Title says in a few words what it does, Text in Markdown what has to be known.
	Title, Text string
	// Group is the title under which it stands.
	Group string
	// Method and Path are those of its REST route. The path's variables stand in braces, under their names in JSON.
	Method, Path string
	// Procedure is the RPC behind it; nil for routes that have none.
	Procedure protoreflect.MethodDescriptor
	// Open: it is called without a token.
	Open bool
	// Permission is the one that is needed in the organisation that the call acts on; "" for none.
	Permission string
	// Parameters are those of the path and the headers.
	Parameters []Parameter
	// Upload is the request's picture; nil for none.
	Upload *Upload
	// Answers are those of a success.
	Answers []Answer
	// Errors are what it may answer instead.
	Errors []Error
}

// Parameter is one of a request beside its body.
type Parameter struct {
	Name string
	In   In
	Text string
	// Schema is that of its value.
	Schema *Schema
}

// In is where a parameter stands.
type In string

// Where parameters stand.
const (
	InPath   In = "path"
	InHeader In = "header"
	InQuery  In = "query"
)

// Upload is a picture in the field of a form (RFC 7578).
type Upload struct {
	Field string
	// MaxBytes bounds it.
	MaxBytes int
	// MediaTypes are those of the pictures that are taken.
	MediaTypes []string
}

// Answer is one of a success.
type Answer struct {
	Status int
	Text   string
	// Message is what comes as JSON, and from the procedure; nil for none.
	Message protoreflect.MessageDescriptor
	// Stream: any number of them come, over REST as lines of JSON.
	Stream bool
	// Plain is a text that comes as text/plain.
	Plain string
	// MediaTypes are those of a picture that comes.
	MediaTypes []string
	// Headers are those that are worth knowing.
	Headers []Header
}

// Header is one of an answer.
type Header struct{ Name, Text string }

// Error is one answer that is not a success.
type Error struct {
	Status int
	// Code is the number that gRPC gives to it.
	Code int
	// ID is what programs match on; "" for none.
	ID string
	// Message is for people.
	Message string
	// OnlyREST: procedures do not answer it.
	OnlyREST bool
	// Headers are those that it comes with.
	Headers []Header
}
