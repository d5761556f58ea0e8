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

// An annotation is all that a REST route needs: parameters of the query and bodies become the request, and the path wins.
func TestAnnotatedRoutes(t *testing.T) {
	f := startProbe(t, nil)
	const things, filter, tags = "/probe/v1/users/7/things", "/probe/v1/users/7/filter", "/probe/v1/tags"
	rows := []struct{ title, method, path, body, want string }{ // want: the request that arrived, or how the error says it
		{"the path alone", "GET", things, "", `{"userId":"7"}`},
		{"a query", "GET", things + "?page_size=25&tags=a&tags=b%26c&deep=true&order=NEWEST", "", `{"userId":"7","pageSize":"25","tags":["a","b&c"],"deep":true,"order":"NEWEST"}`},
		{"names as in JSON", "GET", things + "?pageSize=25&filter.namePart=x&filter.filter.name_part=y&order=1", "",
			`{"userId":"7","pageSize":"25","filter":{"namePart":"x","filter":{"namePart":"y"}},"order":"NEWEST"}`},
		{"a time", "GET", things + "?since=2023-05-12T10:02:11Z", "", `{"userId":"7","since":"2023-05-12T10:02:11Z"}`},
		{"unknown parameters", "GET", things + "?x=1&filter.y=2&page_size.z=3&tags.0=4&=5&.=6&user_id=9&userId=9", "", `{"userId":"7"}`},
		{"a bad number", "GET", things + "?page_size=secret", "", "the query parameter page_size cannot be read"},
		{"a bad truth", "GET", things + "?deep=secret", "", "the query parameter deep cannot be read"},
		{"a message as text", "GET", things + "?filter=secret", "", "the query parameter filter cannot be read"},
		{"no UTF-8 in a query", "GET", things + "?tags=%FF", "", "the query parameter tags cannot be read"},
		{"one thing twice", "GET", things + "?page_size=1&page_size=1", "", "the query parameter page_size is there more than once"},
		{"one thing under both names", "GET", things + "?page_size=1&pageSize=1", "", "the query parameter page_size is there more than once"},
		{"no query", "GET", things + "?page_size=%zz", "", "the query cannot be read"},
		{"no UTF-8 in the path", "GET", "/probe/v1/users/%FF/things", "", "the path holds text that is not UTF-8"},
		{"a body", "POST", things, `{"page_size":25,"tags":["a"],"filter":{"namePart":"x"},"unknown":1}`, `{"userId":"7","pageSize":"25","tags":["a"],"filter":{"namePart":"x"}}`},
		{"the path wins over the body, and a query is not looked at", "POST", things + "?page_size=3", `{"userId":"9"}`, `{"userId":"7"}`},
		{"no body", "POST", things, "", `{"userId":"7"}`},
		{"no JSON", "POST", things, `{"secret`, "no valid JSON"},
		{"a number as a text", "POST", things, `{"userId":9}`, "ids are texts"},
		{"too large", "POST", things, `{"tags":["` + strings.Repeat("x", MaxMessageBytes) + `"]}`, "larger than 65536 bytes"},
		{"a body that is a field", "POST", filter + "?deep=true&filter.namePart=z", `{"namePart":"x"}`, `{"userId":"7","deep":true,"filter":{"namePart":"x"}}`},
		{"a body that is a list", "POST", tags + "?user_id=9", `["a","b"]`, `{"userId":"9","tags":["a","b"]}`},
		{"a body that breaks out of its field", "POST", tags, `["a"],"userId":"9"`, "no valid JSON"},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			res, body := f.do(t, row.method, row.path, strings.NewReader(row.body), bearer("admin-token-1")...)
			var answer struct {
				Request json.RawMessage
				Message string
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("%d %s: %v", res.StatusCode, body, err)
			}
			if res.StatusCode == http.StatusOK && string(answer.Request) != row.want ||
				res.StatusCode != http.StatusOK && (answer.Message == "" || !strings.Contains(answer.Message, row.want)) || strings.Contains(body, "secret") {
				t.Errorf("%d %s, want %s", res.StatusCode, body, row.want)
			}
			if res, body := f.do(t, row.method, row.path, strings.NewReader(row.body)); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("without a token: %d %s", res.StatusCode, body)
			}
		})
	}
	res, body := f.do(t, "POST", things, strings.NewReader(gzipped(`{"deep":true}`)), bearer("admin-token-1", "Content-Encoding", "gzip")...)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"deep":true`) {
		t.Errorf("compressed: %d %s", res.StatusCode, body)
	}
}

// What the adapter does not do is found when a server is made.
func TestUnsupportedAnnotations(t *testing.T) {
	cfg := start(t, nil).server.config
	for title, change := range map[string]func(*annotations.HttpRule){
		"a verb": func(rule *annotations.HttpRule) { rule.Pattern = &annotations.HttpRule_Patch{Patch: "/probe/v1/x"} },
		"several segments": func(rule *annotations.HttpRule) {
			rule.Pattern = &annotations.HttpRule_Get{Get: "/probe/v1/{user_id=**}"}
		},
		"a body of GET": func(rule *annotations.HttpRule) { rule.Body = "*" },
		"a body that is no field": func(rule *annotations.HttpRule) {
			rule.Pattern, rule.Body = &annotations.HttpRule_Post{Post: "/probe/v1/x"}, "no_such"
		},
		"part of the answer":     func(rule *annotations.HttpRule) { rule.ResponseBody = "request" },
		"a variable of no field": func(rule *annotations.HttpRule) { rule.Pattern = &annotations.HttpRule_Get{Get: "/probe/v1/{no_such}"} },
		"a variable that is no id": func(rule *annotations.HttpRule) {
			rule.Pattern = &annotations.HttpRule_Get{Get: "/probe/v1/{page_size}"}
		},
		"a route that is taken": func(rule *annotations.HttpRule) {
			rule.Pattern = &annotations.HttpRule_Get{Get: "/assets/v1/users/me/avatar"}
		},
	} {
		probe := probeService(t, nil, func(file *descriptorpb.FileDescriptorProto) { change(httpRule(file)) })
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
