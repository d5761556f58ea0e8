package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"example.org/avatard/server/picture"
	"example.org/avatard/server/reference"
	"example.org/avatard/test/client"
)

// Every operation is called with the values of its examples, succeeds as described, and gives every error that is described, with the
// answer of the example, in every form that it has.
func TestDescribedAnswersAreGiven(t *testing.T) {
	for _, public := range []bool{false, true} {
		s := startExamples(t, public)
		_, document := s.do(t, http.MethodGet, "/openapi.json", nil)
		fits := schemasOf(t, document)
		for _, o := range s.server.operations() {
			if o.ID != "ReadAvatar" && !public {
				continue // the same with and without
			}
			e := example{Operation: o, on: s, fits: fits}
			t.Run(fmt.Sprint(o.ID, "/public=", public), func(t *testing.T) {
				e.succeed(t)
				for _, want := range o.Errors {
					e.fail(t, want)
				}
			})
		}
	}
}

// example is the call of one operation.
type example struct {
	reference.Operation
	on   *exampleServer
	fits func(ref string, value any) error // compares with a schema of the document
}

// header are those that a call is made with.
func (e example) header(p provocation) http.Header {
	header := http.Header{}
	token := p.token
	if token == "" && !e.Open {
		token = "example-token-1"
		if e.Permission != "" {
			token = "admin-token-1"
		}
	}
	if token != "" && token != "-" {
		header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(p.headers); i += 2 {
		header.Add(p.headers[i], p.headers[i+1])
	}
	return header
}

// ids are the values of the path's variables, by name.
func (e example) ids(p provocation) map[string]string {
	return map[string]string{
		"orgId":          reference.ExampleOrganization,
		"userId":         cmp.Or(p.id, reference.ExampleUser),
		"organizationId": cmp.Or(p.id, reference.ExampleOrganization),
		"receiptId":      cmp.Or(p.id, e.on.receipt),
	}
}

// send makes the call over REST.
func (e example) send(t *testing.T, p provocation) (*http.Response, string) {
	t.Helper()
	path := e.Path + p.query
	for name, id := range e.ids(p) {
		path = strings.Replace(path, "{"+name+"}", id, 1)
	}
	if p.page != "" {
		path += "?pageToken=" + p.page
	}
	header := e.header(p)
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fields = append(fields, name, value)
		}
	}
	if e.Upload == nil {
		return e.on.do(t, e.Method, path, nil, fields...)
	}
	data := p.body
	if data == nil {
		data = picture.Sample(9, 2000)
	}
	body, media := formOf(e.Upload.Field, data)
	return e.on.do(t, e.Method, path, body, append(fields, "Content-Type", media)...)
}

func (e example) succeed(t *testing.T) {
	e.on.prepare(t)
	res, body := e.send(t, provocation{})
	i := slices.IndexFunc(e.Answers, func(a reference.Answer) bool { return a.Status == res.StatusCode })
	if i < 0 {
		t.Fatalf("the answer is %d %.300q, which is not described", res.StatusCode, body)
	}
	for _, h := range e.Answers[i].Headers {
		if res.Header.Get(h.Name) == "" {
			t.Errorf("the answer has no %s: %v", h.Name, res.Header)
		}
	}
	media := res.Header.Get("Content-Type")
	switch want := e.Answers[i]; {
	case want.Stream:
		for line := range strings.Lines(body) {
			e.fitsSchema(t, string(want.Message.FullName()), strings.TrimSuffix(strings.TrimPrefix(line, `{"result":`), "}\n"))
		}
	case want.Message != nil:
		e.fitsSchema(t, string(want.Message.FullName()), body)
	case want.Plain != "":
		if body != want.Plain || !strings.HasPrefix(media, "text/plain") {
			t.Errorf("the answer is %s %q, want %q", media, body, want.Plain)
		}
	case !slices.Contains(want.MediaTypes, media):
		t.Errorf("the answer is %s, want one of %s", media, want.MediaTypes)
	}
	for _, form := range e.forms() {
		e.on.prepare(t)
		if got := e.call(t, form, provocation{}); got.Err != nil || got.Code != 0 {
			t.Errorf("%s: %v", form, got)
		}
	}
}

// forms are those of the procedure behind an operation.
func (e example) forms() []client.Form {
	if e.Procedure == nil {
		return nil
	}
	return []client.Form{client.ConnectJSON, client.GRPC, client.GRPCWeb}
}

// call makes the call in a form of an RPC.
func (e example) call(t *testing.T, form client.Form, p provocation) client.Answer {
	t.Helper()
	request, ids := dynamicpb.NewMessage(e.Procedure.Input()), e.ids(p)
	for i := range e.Procedure.Input().Fields().Len() {
		field := e.Procedure.Input().Fields().Get(i)
		if id := ids[field.JSONName()]; id != "" && strings.Contains(e.Path, "{"+field.JSONName()+"}") {
			request.Set(field, protoreflect.ValueOfString(strings.ReplaceAll(id, "%01", "\x01")))
		}
		if field.Name() == "page_token" {
			request.Set(field, protoreflect.ValueOfString(p.page))
		}
	}
	answer, _ := e.on.client.Invoke(t.Context(), form, e.header(p), e.Procedure, request)
	return answer
}

// fail provokes one error and compares the answer with what is described.
func (e example) fail(t *testing.T, want reference.Error) {
	t.Helper()
	why := slices.IndexFunc(errorTable[:], func(o errorSpec) bool { return o.message == want.Message })
	p, known := provocations[reason(why)]
	if !known {
		t.Errorf("nothing provokes %q", want.Message)
		return
	}
	if e.Permission != "" && p.id != "" {
		p.token = ""
	}
	if p.arrange != nil {
		defer p.arrange(e.on)()
	}
	e.on.prepare(t)
	res, body := e.send(t, p)
	status := e.fitsSchema(t, "google.rpc.Status", body)
	if res.StatusCode != want.Status || status.Code != want.Code || status.id() != want.ID || !strings.HasPrefix(status.Message, p.message(want)) {
		t.Errorf("%s is described as %d with code %d and id %q; the answer is %d %.300q", want.Message, want.Status, want.Code, want.ID, res.StatusCode, body)
	}
	for _, h := range want.Headers {
		if res.Header.Get(h.Name) == "" {
			t.Errorf("%s: the answer has no %s: %v", want.Message, h.Name, res.Header)
		}
	}
	for _, form := range e.forms() {
		if want.OnlyREST {
			continue
		}
		if a := e.call(t, form, p); int(a.Code) != want.Code || a.Detail.GetId() != want.ID {
			t.Errorf("%s over %s is %v", want.Message, form, a)
		}
	}
}

// message is the text that an answer begins with.
func (p provocation) message(want reference.Error) string {
	if want.Code == 3 { // those of invalid requests say what is invalid
		return ""
	}
	return want.Message
}

// statusAnswer is an error as REST answers it.
type statusAnswer struct {
	Code    int
	Message string
	Details []map[string]any
}

func (s statusAnswer) id() string {
	for _, d := range s.Details {
		if id, ok := d["id"].(string); ok {
			return id
		}
	}
	return ""
}

// fitsSchema demands that an answer is as a schema of the document says, and decodes it as an error.
func (e example) fitsSchema(t *testing.T, name, body string) (status statusAnswer) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err == nil {
		err = e.fits("#/components/schemas/"+name, value)
	}
	if err != nil {
		t.Errorf("the answer %.300q is not as the schema %s says: %v", body, name, err)
	}
	_ = json.Unmarshal([]byte(body), &status)
	return status
}
