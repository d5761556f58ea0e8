package e2e

import (
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// mediaSpellings are ways to write the media types that are known, beside the ones that all others use here.
var mediaSpellings = []struct{ media, same string }{
	{"application/json; charset=utf-8", ""},
	{"application/json; charset=UTF-8", "application/json; charset=utf-8"},
	{`Application/JSON ;Charset="Utf-8"`, "application/json; charset=utf-8"},
	{"application/json;charset=utf8", "application/json; charset=utf-8"},
	{"application/json; q=0.5", "application/json"},
	{"APPLICATION/PROTO; messageType=x", "application/proto"},
	{"application/grpc-web+json", ""},
	{"application/grpc-web-text+json", ""},
	{"application/grpc; charset=utf-8", "application/grpc"},
	{"application/grpc+proto;x=y", "application/grpc+proto"},
	{"Application/gRPC+JSON", "application/grpc+json"},
	{"application/grpc; x=y; x=y", "application/grpc"},
	{"application/grpc-web+proto; x=y", "application/grpc-web+proto"},
	{"application/grpc-web ; charset=utf-8", "application/grpc-web"},
	{"application/grpc-web-text; charset=utf-8", "application/grpc-web-text"},
	{"Application/grpc-web-Text+proto;x", "application/grpc-web-text+proto"},
}

// spelled is the form of a media type, over one version of HTTP.
func spelled(media string, version int) wireForm {
	f := wireForm{name: media, family: "connect", version: version, media: strings.ToLower(media)}
	switch base, _, _ := strings.Cut(strings.TrimSpace(strings.SplitN(f.media, ";", 2)[0]), "+"); base {
	case "application/grpc":
		f.family = "grpc"
	case "application/grpc-web", "application/grpc-web-text":
		f.family = "grpc-web"
	}
	return f
}

// testSpellings sends known media types and content codings as some clients write them: a success and a refusal each, the message as it is and
// compressed.
func (c *contract) testSpellings(t *testing.T) {
	for _, row := range mediaSpellings {
		for version := 1; version <= 2; version++ {
			f := spelled(row.media, version)
			if f.family == "grpc" && version == 1 {
				continue
			}
			for _, coding := range []string{"", "gzip", "GZIP", "x-gzip", "X-Gzip", "Identity"} {
				t.Run(row.media+" "+coding, func(t *testing.T) {
					for _, call := range []struct {
						token string
						want  wanted
					}{{"TOKEN_ADMIN", wanted{owner: c.variable("ORG_ACME")}}, {"TOKEN_NOBODY", wanted{code: 5, id: "AUTHZ-cdgFk"}}} {
						q := question{user: c.variable("USER_BOB"), fields: []wireField{c.bearer(call.token)}, gzip: strings.HasSuffix(strings.ToLower(coding), "gzip")}
						req := f.request(q)
						for i := range req.fields {
							switch field := &req.fields[i]; {
							case field.name == "Content-Type":
								field.value = row.media
							case strings.HasSuffix(field.name, "-Encoding"):
								field.value = coding
							}
						}
						if coding == "Identity" {
							req.fields = append(req.fields, wireField{f.codingField(), coding})
						}
						answered := f
						if row.same != "" {
							answered.media = row.same
						}
						c.ask(t, answered, req, call.want)
					}
				})
			}
		}
	}
}

// codingField names the header that tells how messages of the form are compressed.
func (f wireForm) codingField() string {
	if f.framed() {
		return "Grpc-Encoding"
	}
	return "Content-Encoding"
}

// testNotSpelled sends what is none of them, or two things at once: nobody is to look at one and ignore the other.
func (c *contract) testNotSpelled(t *testing.T) {
	admin := c.bearer("TOKEN_ADMIN")
	for version := 1; version <= 2; version++ {
		for _, types := range [][]string{
			{"application/json; charset=latin1"}, {"application/json; charset=utf-8; charset=latin1"},
			{"application/proto; charset=utf-8"}, {"application/json", "application/json"}, {"application/json", "text/plain"}, {"application/json, application/json"},
		} {
			req := wireRequest{method: "POST", path: removeHuman, body: []byte(`{"userId":"` + c.variable("USER_BOB") + `"}`), fields: []wireField{admin}}
			for _, media := range types {
				req.fields = append(req.fields, wireField{"Content-Type", media})
			}
			if a := c.send(t, version, req); a.status != 415 || a.header.Get("Accept-Post") == "" {
				t.Errorf("HTTP/%d, %q: %d %v, want 415 and what is known", version, types, a.status, a.header)
			}
		}
		for _, media := range []string{"application/json", "application/grpc-web+proto"} {
			f := spelled(media, version)
			for _, codings := range [][]string{{"br"}, {"gzip, gzip"}, {"gzip", "gzip"}, {"identity", "gzip"}, {"deflate"}, {"gzip;q=1"}} {
				req := f.request(question{user: c.variable("USER_BOB"), fields: []wireField{admin}})
				for _, coding := range codings {
					req.fields = append(req.fields, wireField{f.codingField(), coding})
				}
				c.ask(t, f, req, wanted{code: 12, status: 501})
			}
		}
	}
}

// testCodedUploads uploads forms under a content coding.
func (c *contract) testCodedUploads(t *testing.T) {
	path, admin := "/management/v1/users/"+c.variable("USER_ALICE")+"/avatar", c.bearer("TOKEN_ADMIN")
	big := make([]byte, 40<<20)
	for _, f := range wireForms()[:2] {
		for _, row := range []struct {
			title   string
			codings []string
			data    []byte
			plain   bool
			want    wanted
		}{
			{"gzip", []string{"gzip"}, picture.Sample(5, 2000), false, wanted{owner: c.variable("ORG_ACME")}},
			{"capitals", []string{"GZip"}, picture.Sample(6, 2000), false, wanted{}},
			{"its old name", []string{" x-gzip "}, picture.Sample(7, 2000), false, wanted{}},
			{"as large as allowed", []string{"gzip"}, append(encodedPNG(t, 3, 2), make([]byte, picture.DefaultUploadBytes-len(encodedPNG(t, 3, 2)))...), false, wanted{}},
			{"none", []string{"Identity"}, picture.Sample(8, 2000), true, wanted{}},
			{"a byte too many when unpacked", []string{"gzip"}, big[:picture.DefaultUploadBytes+1], false, wanted{code: 3, status: 413}},
			{"far too much", []string{"gzip"}, big, false, wanted{code: 3, status: 413}},
			{"said, and not done", []string{"gzip"}, picture.Sample(5, 2000), true, wanted{code: 3}},
			{"another one", []string{"br"}, picture.Sample(5, 2000), false, wanted{code: 3, status: 415}},
			{"two", []string{"gzip, br"}, picture.Sample(5, 2000), false, wanted{code: 3, status: 415}},
			{"two in two lines", []string{"identity", "gzip"}, picture.Sample(5, 2000), false, wanted{code: 3, status: 415}},
		} {
			t.Run(f.name+" "+row.title, func(t *testing.T) {
				req := uploadRequest(path, "file", row.data, admin)
				for _, coding := range row.codings {
					req.fields = append(req.fields, wireField{"Content-Encoding", coding})
				}
				if !row.plain {
					req.body = gzipped(req.body)
				}
				v := c.ask(t, f, req, row.want)
				if row.want.status == 415 && v.fields.Get("Accept-Encoding") != "gzip, identity" {
					t.Errorf("the headers are %v, want the codings that are known", v.fields)
				}
			})
		}
	}
}
