package e2e

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"example.org/avatard/server"
)

// Which requests are calls of a procedure, and what those that name none are told, token or not.
func (c *contract) testProcedures(t *testing.T) {
	unknown := []string{"/zitadel.management.v1.ManagementService/", "/zitadel.management.v1.ManagementService/removeHumanAvatar",
		removeHuman + "/", removeHuman + "/x", "/zitadel.auth.v1.AuthService/RemoveHumanAvatar", "/zitadel.management.v1.ManagementService//RemoveHumanAvatar",
		"/zitadel.management.v1.ManagementService/%52emoveHumanAvatar", "/grpc.health.v1.Health/Nothing"}
	elsewhere := []string{"/", "/any.Service/Call", "/management/v1/users", "/zitadel.management.v1.ManagementService", "//" + removeHuman[1:]}
	inEveryForm(t, rpcForms(), func(t *testing.T, f wireForm) {
		for _, path := range append(unknown, elsewhere...) {
			for _, token := range []string{"", "TOKEN_ADMIN", "TOKEN_EXPIRED"} {
				req := f.request(question{user: "x"})
				req.path = path
				if token != "" {
					req.fields = append(req.fields, c.bearer(token))
				}
				as, want := f, wanted{code: 12}
				if !f.framed() && strings.Contains(strings.Join(elsewhere, " ")+" ", path+" ") {
					as, want = wireForms()[0], wanted{code: 5} // nothing says that it is meant as an RPC
					as.version = f.version
				}
				c.ask(t, as, req, want)
			}
		}
	})
	t.Run("methods", func(t *testing.T) {
		for _, path := range []string{removeHuman, removeOwn, removeHuman + "?connect=v1&encoding=json&message=%7B%7D", "/grpc.health.v1.Health/Check"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
				for _, media := range []string{"", "application/json", "application/grpc", "application/grpc-web-text"} {
					for _, token := range []string{"", "Basic x", "Bearer " + c.variable("TOKEN_ADMIN")} {
						for version := 1; version <= 2; version++ {
							a := c.send(t, version, wireRequest{method: method, path: path, fields: []wireField{{"Content-Type", media}, {"Authorization", token}}})
							if a.status != 405 || a.header.Get("Allow") != "POST" || a.header.Get("X-Request-Id") == "" || a.header.Get("Www-Authenticate") != "" {
								t.Errorf("%s %s as %q with %.8q: %d %v; want 405, Allow: POST", method, path, media, token, a.status, a.header)
							}
						}
					}
				}
			}
		}
	})
}

// A media type that nobody knows is told after permission only, and before the message is looked at.
func (c *contract) testMedia(t *testing.T) {
	for _, media := range []string{"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"application/jsonx", "application/grpc+thrift", "application/grpc-web+thrift", "application/grpc-web-text+thrift"} {
		for version := 1; version <= 2; version++ {
			for _, row := range []struct {
				token, id string
				code      int
			}{{"TOKEN_ADMIN", "", 0}, {"TOKEN_NOBODY", "AUTHZ-cdgFk", 5}, {"TOKEN_VIEWER", "AUTH-5mWD2", 7}, {"TOKEN_EXPIRED", "AUTH-7fs1e", 16}, {"", "", 16}} {
				req := wireRequest{method: http.MethodPost, path: removeHuman, body: []byte("{}"), fields: []wireField{{"Content-Type", media}}}
				if row.token != "" {
					req.fields = append(req.fields, c.bearer(row.token))
				}
				if row.code == 0 {
					if a := c.send(t, version, req); a.status != 415 || a.header.Get("X-Request-Id") == "" || !strings.Contains(string(a.body), "Accept-Post") || a.header.Get("Accept-Post") == "" {
						t.Errorf("%q: %d %v, want 415", media, a.status, a.header)
					}
					continue
				}
				f := wireForm{name: media, family: "connect", version: version, media: media}
				if base, _, _ := strings.Cut(media, "+"); base == "application/grpc" {
					f.family = "grpc"
				} else if f.framed() {
					f.family = "grpc-web"
				}
				c.ask(t, f, req, wanted{code: row.code, id: row.id})
			}
		}
	}
}

// What a message may look like.
func (c *contract) testMessages(t *testing.T) {
	admin := []wireField{c.bearer("TOKEN_ADMIN")}
	bob := c.variable("USER_BOB")
	futureField := protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte("new"))
	inEveryForm(t, rpcForms(), func(t *testing.T, f wireForm) {
		send := func(title string, message []byte, want wanted) {
			t.Run(title, func(t *testing.T) { c.ask(t, f, f.request(question{message: message, fields: admin}), want) })
		}
		large := make([]byte, server.MaxMessageBytes)
		if f.json() {
			send("unknown fields", []byte(`{"future":[{"a":null}],"userId":"`+bob+`","x":1}`), wanted{})
			send("name as in the proto file", []byte(`{"user_id":"`+bob+`"}`), wanted{})
			send("nothing in it", []byte(`{}`), wanted{code: 3})
			for _, broken := range []string{"", `{"userId":`, `{"userId":"` + bob + `"`, `[]`, `{"userId":1}`, `{"userId":["x"]}`, `null x`, `{"userId":"\ud800"}`} {
				send("broken: "+broken, []byte(broken), wanted{code: 3})
			}
			copy(large, `{"userId":"`)
			send("over the limit", []byte(`{"userId":"`+bob+`","x":"`+strings.Repeat("x", len(large))+`"}`), wanted{code: 8})
		} else {
			send("unknown fields", append(append(futureField[:len(futureField):len(futureField)], userField(bob)...), futureField...), wanted{})
			send("the last user_id wins", append(userField("x"), userField(bob)...), wanted{})
			send("also when it is unknown", append(userField(bob), userField("x")...), wanted{code: 5, id: "USER-35N8f"})
			send("nothing in it", []byte{}, wanted{code: 3})
			send("broken", []byte("\x0a\x7f"), wanted{code: 3})
			send("over the limit", append(userField(bob), protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), large)...), wanted{code: 8})
		}
		t.Run("gzip", func(t *testing.T) { c.ask(t, f, f.request(question{user: bob, fields: admin, gzip: true}), wanted{}) })
		t.Run("gzip, over the limit when unpacked", func(t *testing.T) {
			c.ask(t, f, f.request(question{message: make([]byte, 1<<20), fields: admin, gzip: true}), wanted{code: 8})
		})
		t.Run("over the limit, no permission", func(t *testing.T) {
			c.ask(t, f, f.request(question{message: make([]byte, 1<<17), fields: []wireField{c.bearer("TOKEN_NOBODY")}}), wanted{code: 5, id: "AUTHZ-cdgFk"})
		})
		if f.family == "grpc" {
			t.Run("no te", func(t *testing.T) {
				req := f.request(question{user: bob, fields: admin})
				for i, field := range req.fields {
					if field.name == "Te" {
						req.fields = append(req.fields[:i:i], req.fields[i+1:]...)
						break
					}
				}
				c.ask(t, f, req, wanted{})
			})
		}
	})
}

// The caller's deadline bounds the call. One that has passed before it began removes nothing.
func (c *contract) testDeadlines(t *testing.T) {
	seen := c.give(t, "USER_ALICE")
	q := question{user: c.variable("USER_ALICE")}
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		past := []wireField{f.timeout("0")}
		if f.family != "connect" {
			past = append(past, wireField{"Grpc-Timeout", "0n"}, wireField{"Grpc-Timeout", "1n"})
		}
		for _, field := range past {
			q.fields = []wireField{c.bearer("TOKEN_ADMIN"), field}
			c.ask(t, f, f.request(q), wanted{code: 4})
		}
		for _, text := range []string{"x", "-1", "1.5"} {
			q.fields = []wireField{c.bearer("TOKEN_ADMIN"), f.timeout(text)}
			c.ask(t, f, f.request(q), wanted{code: 3})
		}
		q.fields = []wireField{c.bearer("TOKEN_VIEWER"), f.timeout("x")}
		c.ask(t, f, f.request(q), wanted{code: 7, id: "AUTH-5mWD2"})
		plenty := question{user: c.variable("USER_BOB"), fields: []wireField{c.bearer("TOKEN_ADMIN"), f.timeout("99999999")}}
		c.ask(t, f, f.request(plenty), wanted{})
	})
	c.wantKept(t, "USER_ALICE", seen)
}
