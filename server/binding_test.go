package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/types/descriptorpb"
)

const probeProcedure = "/probe.v1.ProbeService/"

// annotatedCall is a call of one of the probe's REST routes.
type annotatedCall struct {
	title, method, path, body string
	want                      string // the request that arrived, or part of the error's message
}

// check calls as an administrator. Without a token the same call is 401.
func (c annotatedCall) check(t *testing.T, f *fixture) {
	res, body := f.do(t, c.method, c.path, strings.NewReader(c.body), bearer("admin-token-1")...)
	var answer struct {
		Request json.RawMessage
		Message string
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%d %s: %v", res.StatusCode, body, err)
	}
	if res.StatusCode == http.StatusOK && string(answer.Request) != c.want ||
		res.StatusCode != http.StatusOK && (answer.Message == "" || !strings.Contains(answer.Message, c.want)) || strings.Contains(body, "secret") {
		t.Errorf("%d %s, want %s", res.StatusCode, body, c.want)
	}
	if res, body := f.do(t, c.method, c.path, strings.NewReader(c.body)); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", res.StatusCode, body)
	}
}

const (
	probeThings = "/probe/v1/users/7/things"
	probeFilter = "/probe/v1/users/7/filter"
	probeTags   = "/probe/v1/tags"
)

// An annotation is all that a REST route needs: path and body become the request, and the path wins.
func TestAnnotatedRoutes(t *testing.T) {
	f := startProbe(t, nil)
	for _, call := range []annotatedCall{
		{"the path alone", "GET", probeThings, "", `{"userId":"7"}`},
		{"no UTF-8 in the path", "GET", "/probe/v1/users/%FF/things", "", "the path holds text that is not UTF-8"},
		{"a body", "POST", probeThings, `{"page_size":25,"tags":["a"],"filter":{"namePart":"x"},"unknown":1}`, `{"userId":"7","pageSize":"25","tags":["a"],"filter":{"namePart":"x"}}`},
		{"the path wins over the body, and a query is not looked at", "POST", probeThings + "?page_size=3", `{"userId":"9"}`, `{"userId":"7"}`},
		{"no body", "POST", probeThings, "", `{"userId":"7"}`},
		{"no JSON", "POST", probeThings, `{"secret`, "no valid JSON"},
		{"a number as a text", "POST", probeThings, `{"userId":9}`, "ids are texts"},
		{"a body that is a field", "POST", probeFilter + "?deep=true&filter.namePart=z", `{"namePart":"x"}`, `{"userId":"7","deep":true,"filter":{"namePart":"x"}}`},
		{"a body that is a list", "POST", probeTags + "?user_id=9", `["a","b"]`, `{"userId":"9","tags":["a","b"]}`},
		{"a body that breaks out of its field", "POST", probeTags, `["a"],"userId":"9"`, "no valid JSON"},
	} {
		t.Run(call.title, func(t *testing.T) { call.check(t, f) })
	}
	res, body := f.do(t, "POST", probeThings, strings.NewReader(gzipped(`{"deep":true}`)), bearer("admin-token-1", "Content-Encoding", "gzip")...)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"deep":true`) {
		t.Errorf("compressed: %d %s", res.StatusCode, body)
	}
}

// A body over the limit is 413 on a REST route, whether it is a little or far too large, and plain or compressed.
func TestBodyTooLarge(t *testing.T) {
	f := startProbe(t, nil)
	for _, size := range []int{MaxMessageBytes, 2 * maxBodyBytes} {
		sent := `{"tags":["` + strings.Repeat("x", size) + `"]}`
		for coding, sent := range map[string]string{"identity": sent, "gzip": gzipped(sent)} {
			res, body := f.do(t, "POST", probeThings, strings.NewReader(sent), bearer("admin-token-1", "Content-Encoding", coding)...)
			want := `{"code":8,"message":"the message is larger than 65536 bytes"}`
			if res.StatusCode != http.StatusRequestEntityTooLarge || body != want {
				t.Errorf("%d bytes, %s: %d %s, want 413 %s", size, coding, res.StatusCode, body, want)
			}
		}
	}
}

// unsupportedAnnotations are changes of the probe's description, its first method's annotation among it, that no server can be made with.
var unsupportedAnnotations = map[string]func(*descriptorpb.FileDescriptorProto, *annotations.HttpRule){
	"a verb": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Patch{Patch: "/probe/v1/x"}
	},
	"several segments": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Get{Get: "/probe/v1/{user_id=**}"}
	},
	"a body of GET": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) { rule.Body = "*" },
	"a body that names no field": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) {
		rule.Pattern, rule.Body = &annotations.HttpRule_Post{Post: "/probe/v1/x"}, "no_such"
	},
	"part of the answer": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) { rule.ResponseBody = "request" },
	"a variable of no field": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Get{Get: "/probe/v1/{no_such}"}
	},
	"a variable that is not a text": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Get{Get: "/probe/v1/{page_size}"}
	},
	"a route that is taken": func(_ *descriptorpb.FileDescriptorProto, rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Get{Get: "/assets/v1/users/me/avatar"}
	},
	"a stream of requests": func(file *descriptorpb.FileDescriptorProto, _ *annotations.HttpRule) {
		file.Service[0].Method[0].ClientStreaming = new(true)
	},
	"a query parameter of any JSON":               anyJSON(1, ".google.protobuf.Value"),
	"a query parameter of any JSON, further down": anyJSON(0, ".google.protobuf.Struct"),
}

// anyJSON adds a field of a type to one of the probe's messages.
func anyJSON(message int, typeName string) func(*descriptorpb.FileDescriptorProto, *annotations.HttpRule) {
	return func(file *descriptorpb.FileDescriptorProto, _ *annotations.HttpRule) {
		to := file.GetMessageType()[message]
		to.Field = append(to.Field, &descriptorpb.FieldDescriptorProto{
			Name: new("free"), Number: new(int32(100)), TypeName: &typeName,
			Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
}

// An annotation that the adapter cannot serve is refused when a server is made.
func TestUnsupportedAnnotations(t *testing.T) {
	cfg := start(t, nil).server.config
	for title, change := range unsupportedAnnotations {
		probe := probeService(t, nil, func(file *descriptorpb.FileDescriptorProto) { change(file, httpRule(file)) })
		if _, err := newServer(cfg, func(s *Server) surface { return withProbe(s, probe) }); err == nil {
			t.Errorf("%s is accepted", title)
		}
	}
}

// An answer with a second field arrives whole in every form.
func TestAnswersArriveWhole(t *testing.T) {
	f := startProbe(t, nil)
	const details = `{"details":{"sequence":"2","creationDate":"2023-05-12T10:02:11Z","changeDate":"2023-05-12T10:02:11Z","resourceOwner":"` + acme + `"},`
	for _, form := range []struct{ media, path string }{
		{"", "/probe/v1/users/7/things"}, {"application/json", probeProcedure + "List"}, {"application/grpc+json", probeProcedure + "List"},
		{"application/grpc-web+json", probeProcedure + "List"}, {"application/grpc-web-text+json", probeProcedure + "List"},
	} {
		method, sent := http.MethodPost, `{"userId":"7"}`
		switch {
		case form.media == "":
			method, sent = http.MethodGet, ""
		case strings.HasPrefix(form.media, "application/grpc-web-text"):
			sent = base64.StdEncoding.EncodeToString([]byte(envelope(0, len(sent), sent)))
		case strings.HasPrefix(form.media, "application/grpc"):
			sent = envelope(0, len(sent), sent)
		}
		res, body := f.do(t, method, form.path, strings.NewReader(sent), bearer("admin-token-1", "Content-Type", form.media)...)
		if strings.HasPrefix(form.media, "application/grpc-web-text") {
			body = plainPieces(body)
		}
		if want := details + `"request":{"userId":"7"}}`; res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%q: %d %q, want %s", form.media, res.StatusCode, body, want)
		}
	}
}

// plainPieces decodes base64 that was padded more than once.
func plainPieces(text string) string {
	var plain []byte
	for ; len(text) >= 4; text = text[4:] {
		piece, _ := base64.StdEncoding.DecodeString(text[:4])
		plain = append(plain, piece...)
	}
	return string(plain)
}

// A refusal on record is aimed at the user whom the endpoint has named, and never at one that was guessed.
func TestAuditTargetIsNotGuessed(t *testing.T) {
	f := startProbe(t, &apiError{reason: unknownUser})
	f.server.refusals.timer = time.NewTimer(time.Hour) // they stay together
	f.do(t, http.MethodPost, probeProcedure+"List", strings.NewReader(`{"userId":"7"}`), bearer("admin-token-1", "Content-Type", "application/json")...)
	f.do(t, http.MethodDelete, "/management/v1/users/7/avatar", nil, bearer("admin-token-1")...)
	f.do(t, http.MethodDelete, "/auth/v1/users/me/avatar", nil, bearer("homeless-token-1")...)
	want := map[string]string{probeProcedure + "List": "", "DELETE /management/v1/users/{user_id}/avatar": "7", "DELETE /auth/v1/users/me/avatar": ""}
	f.server.refusals.mu.Lock()
	defer f.server.refusals.mu.Unlock()
	got := make(map[string]string)
	for kind, sum := range f.server.refusals.kinds {
		got[kind.action] = sum.first.Target
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}
