package reference

import (
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// statusSchema is the name of the schema of errors.
const statusSchema = "google.rpc.Status"

// Status is an error as it stands in JSON.
type Status struct {
	Code    int      `json:"code"`
	Message string   `json:"message"`
	Details []Detail `json:"details,omitempty"`
}

// Detail is one detail of an error: a message with its type.
type Detail struct {
	Type    string `json:"@type"`
	ID      string `json:"id"`
	Message string `json:"message"`
}

var detailType = "type.googleapis.com/" + string((*zitadelv1.ErrorDetail)(nil).ProtoReflect().Descriptor().FullName())

// example is the error's answer.
func (e Error) example() Status {
	s := Status{Code: e.Code, Message: e.Message}
	if e.ID != "" {
		s.Message += " (" + e.ID + ")"
		s.Details = []Detail{{detailType, e.ID, e.Message}}
	}
	return s
}

// errorSchema is that of Status.
func errorSchema(s *schemas) *Schema {
	made := &Schema{Type: "object", Description: "An error. Programs match on the code and on the id of the detail; messages may be worded anew.",
		Required: []string{"code", "message"}}
	made.Properties.add("code", &Schema{Type: "integer", Format: "int32", Description: "The code of gRPC."})
	made.Properties.add("message", &Schema{Type: "string", Description: "For people, in English, with the id in brackets where there is one."})
	detail := &Schema{Type: "object", Required: []string{"@type"}, Description: "A message with its type, such as " + string((*zitadelv1.ErrorDetail)(nil).ProtoReflect().Descriptor().FullName()) + "."}
	detail.Properties.add("@type", &Schema{Type: "string"})
	fields := (*zitadelv1.ErrorDetail)(nil).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		detail.Properties.add(fields.Get(i).JSONName(), s.field(fields.Get(i)))
	}
	made.Properties.add("details", &Schema{Type: "array", Items: detail})
	return made
}
