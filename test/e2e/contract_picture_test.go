package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/server/picture"
)

// The five reasons for having no picture to show, and two ids that nobody can have, are one answer.
func (c *contract) testNoPicture(t *testing.T) {
	c.give(t, "USER_ALICE")
	removal := question{user: c.variable("USER_ALICE"), fields: []wireField{c.bearer("TOKEN_ADMIN")}}
	c.ask(t, wireForms()[0], wireForms()[0].request(removal), wanted{})
	acme, alice := c.variable("ORG_ACME"), c.variable("USER_ALICE")
	carol := c.give(t, "USER_CAROL")
	for version := 1; version <= 2; version++ {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			var first wireAnswer
			for _, row := range []struct{ title, org, user string }{
				{"erased", acme, alice},
				{"unknown organisation", "111111111111111111", alice},
				{"unknown user", acme, "999999999999999999"},
				{"wrong pair", acme, c.variable("USER_CAROL")},
				{"no picture ever", acme, c.variable("USER_BOB")},
				{"id that nobody can have", acme, "%00"},
				{"organisation that cannot be", "%FF", alice},
			} {
				for _, token := range []string{"", "TOKEN_ADMIN", "TOKEN_EXPIRED"} { // it is public: nobody looks at a token
					req := wireRequest{method: method, path: "/assets/v1/" + row.org + "/users/" + row.user + "/avatar"}
					if token != "" {
						req.fields = append(req.fields, c.bearer(token))
					}
					a := c.send(t, version, req)
					if a.status != 404 || a.header.Get("X-Request-Id") == "" || a.header.Get("Etag") != "" {
						t.Errorf("%s: %d %v, want 404", row.title, a.status, a.header)
					}
					a.header.Del("X-Request-Id")
					a.header.Del("Date")
					if first.status == 0 {
						first = a
					}
					if diff := cmp.Diff(first.header, a.header); diff != "" || !bytes.Equal(a.body, first.body) {
						t.Errorf("%s: %s, headers differ from those of the first (-first +this):\n%s", row.title, a.body, diff)
					}
				}
			}
			if method == http.MethodHead && len(first.body) > 0 {
				t.Errorf("HEAD is answered with %s", first.body)
			}
		}
	}
	c.wantKept(t, "USER_CAROL", carol)
}

// The tag names one upload: it is good for 304 while that picture is there, and for nothing afterwards.
func (c *contract) testETag(t *testing.T) {
	seen := c.give(t, "USER_ALICE")
	tag := seen.header.Get("Etag")
	get := func(fields ...wireField) wireAnswer {
		t.Helper()
		return c.send(t, 1, wireRequest{method: http.MethodGet, path: c.picturePath("USER_ALICE"), fields: fields})
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Type": http.DetectContentType(seen.body)} {
		if got := seen.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(seen.header.Get("Cache-Control"), "no-cache") || !strings.Contains(seen.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers are %v, want a cache that asks again and a policy that allows nothing", seen.header)
	}
	tags := []string{tag, "W/" + tag, `"x", ` + tag, "*"}
	for _, value := range tags {
		if a := get(wireField{"If-None-Match", value}); a.status != 304 || len(a.body) > 0 || a.header.Get("Etag") != tag {
			t.Errorf("If-None-Match: %s = %d, %d bytes; want 304, none", value, a.status, len(a.body))
		}
	}
	for _, value := range []string{`"x"`, strings.Trim(tag, `"`), ""} {
		if a := get(wireField{"If-None-Match", value}); a.status != 200 || !bytes.Equal(a.body, seen.body) {
			t.Errorf("If-None-Match: %s = %d, %d bytes; want 200 and the picture", value, a.status, len(a.body))
		}
	}
	for _, ranges := range []string{"bytes=0-3", "bytes=-1", "bytes=0-0,2-3"} {
		a := get(wireField{"Range", ranges}, wireField{"If-Range", tag})
		if a.status != 200 || !bytes.Equal(a.body, seen.body) || a.header.Get("Content-Range") != "" || a.header.Get("Accept-Ranges") == "bytes" {
			t.Errorf("Range: %s = %d %v, want all of the picture", ranges, a.status, a.header)
		}
	}
	c.drawn-- // the same picture once more
	if again := c.give(t, "USER_ALICE"); again.header.Get("Etag") == tag || !bytes.Equal(again.body, seen.body) {
		t.Errorf("the same picture uploaded again has the tag %s, before %s; want another: it is no hash", again.header.Get("Etag"), tag)
	}
	c.ask(t, wireForms()[0], wireForms()[0].request(question{user: c.variable("USER_ALICE"), fields: []wireField{c.bearer("TOKEN_ADMIN")}}), wanted{})
	for _, value := range tags {
		if a := get(wireField{"If-None-Match", value}); a.status != 404 {
			t.Errorf("after the delete, If-None-Match: %s = %d, want 404", value, a.status)
		}
	}
}

// A picture comes in by its content, and the answer is that of a delete.
func (c *contract) testUploads(t *testing.T) {
	path, admin := "/management/v1/users/"+c.variable("USER_ALICE")+"/avatar", c.bearer("TOKEN_ADMIN")
	var before verdict
	for i, row := range []struct {
		title string
		data  []byte
		media string
	}{
		{"PNG", encodedPNG(t, 3, 2), "image/png"},
		{"JPEG", encodedJPEG(t, 3, 2), "image/jpeg"},
		{"as many pixels as allowed on a side", encodedPNG(t, 16384, 1), "image/png"},
		{"as many bytes as allowed", append(encodedPNG(t, 3, 2), make([]byte, picture.DefaultUploadBytes-len(encodedPNG(t, 3, 2)))...), "image/png"},
	} {
		for _, f := range wireForms()[:2] {
			t.Run(f.name+" "+row.title, func(t *testing.T) {
				v := c.ask(t, f, uploadRequest(path, "file", row.data, admin), wanted{owner: c.variable("ORG_ACME")})
				if seen := c.see(t, "USER_ALICE"); seen.status != 200 || seen.header.Get("Content-Type") != row.media {
					t.Errorf("the picture is answered with %d and %q, want %q", seen.status, seen.header.Get("Content-Type"), row.media)
				}
				if before.details != nil && v.details.GetSequence() != before.details.GetSequence()+1 {
					t.Errorf("sequence %d follows %d, want one change", v.details.GetSequence(), before.details.GetSequence())
				}
				if i > 0 && v.fields.Get("X-Avatard-Receipt") == before.fields.Get("X-Avatard-Receipt") {
					t.Error("a replacement erased a picture and has no receipt of its own")
				}
				before = v
			})
		}
	}
	own := uploadRequest("/assets/v1/users/me/avatar", "file", picture.Sample(77, 900), c.bearer("TOKEN_ALICE"))
	v := c.ask(t, wireForms()[0], own, wanted{owner: c.variable("ORG_ACME")})
	if v.details.GetSequence() != before.details.GetSequence()+1 {
		t.Errorf("the own upload has sequence %d after %d", v.details.GetSequence(), before.details.GetSequence())
	}
	mine := c.send(t, 1, wireRequest{method: http.MethodGet, path: "/assets/v1/users/me/avatar", fields: []wireField{c.bearer("TOKEN_ALICE")}})
	if everyone := c.see(t, "USER_ALICE"); mine.status != 200 || !bytes.Equal(mine.body, everyone.body) {
		t.Errorf("the own picture is answered with %d and %d bytes, everyone sees %d", mine.status, len(mine.body), len(everyone.body))
	}
}

func encodedPNG(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, painted(width, height)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encodedJPEG(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, painted(width, height), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func painted(width, height int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		img.Set(x, 0, color.NRGBA{R: uint8(x), G: 80, B: 9, A: 200})
	}
	return img
}

// What is wrong with an upload, and when it is said. None of it changes the picture that is there.
func (c *contract) testUploadsRefused(t *testing.T) {
	management, me := "/management/v1/users/"+c.variable("USER_ALICE")+"/avatar", "/assets/v1/users/me/avatar"
	good := picture.Sample(5, 2000)
	faults := faultyUploads(t, good)
	seen := c.give(t, "USER_ALICE")
	t.Run("faults", func(t *testing.T) {
		for _, title := range slices.Sorted(maps.Keys(faults)) {
			for _, f := range wireForms()[:2] {
				t.Run(f.name+" "+title, func(t *testing.T) {
					t.Parallel() // the server waits before it closes a connection on which more is sent
					for _, way := range []struct {
						path, token string
						first       wanted // what is said before the form is looked at
					}{
						{management, "TOKEN_ADMIN", wanted{}}, {me, "TOKEN_ALICE", wanted{}},
						{management, "TOKEN_VIEWER", wanted{code: 7, id: "AUTH-5mWD2"}},
						{management, "TOKEN_NOBODY", wanted{code: 5, id: "AUTHZ-cdgFk"}},
						{me, "TOKEN_EXPIRED", wanted{code: 16, id: "AUTH-7fs1e"}},
						{"/management/v1/users/%00/avatar", "TOKEN_ADMIN", wanted{code: 3}},
					} {
						req, want := faults[title].req, faults[title].want
						if way.first.code != 0 {
							want = way.first
						}
						req.path = way.path
						req.fields = append(slices.Clone(req.fields), c.bearer(way.token))
						c.ask(t, f, req, want)
					}
				})
			}
		}
	})
	for _, f := range wireForms()[:2] {
		for _, row := range []struct {
			path string
			org  string
		}{
			{"/management/v1/users/999999999999999999/avatar", ""}, {"/management/v1/users/" + c.variable("USER_CAROL") + "/avatar", ""},
			{management, c.variable("ORG_GLOBEX")},
		} {
			req := uploadRequest(row.path, "file", good, c.bearer("TOKEN_ADMIN"), wireField{"X-Zitadel-Orgid", row.org})
			c.ask(t, f, req, wanted{code: 5, id: "USER-35N8f"})
		}
		c.ask(t, f, uploadRequest(me, "file", good), wanted{code: 16})
		c.ask(t, f, uploadRequest(management, "file", good, wireField{"Authorization", "x"}), wanted{code: 16, id: "AUTH-toLo1"})
	}
	c.wantKept(t, "USER_ALICE", seen)
}

// faultyUpload is a request without a path, and what is said to it.
type faultyUpload struct {
	req  wireRequest
	want wanted
}

// faultyUploads are ways not to upload the picture good.
func faultyUploads(t *testing.T, good []byte) map[string]faultyUpload {
	t.Helper()
	file := func(data []byte) wireRequest { return uploadRequest("", "file", data) }
	cut := file(good)
	cut.body = cut.body[:len(cut.body)-100]
	plain := func(media, body string) wireRequest {
		return wireRequest{method: http.MethodPost, body: []byte(body), fields: []wireField{{"Content-Type", media}}}
	}
	tooLarge := wanted{code: 3, status: 413}
	return map[string]faultyUpload{
		"no body":                     {plain("", ""), wanted{code: 3}},
		"JSON":                        {plain("application/json", "{}"), wanted{code: 3}},
		"the picture without a form":  {plain("image/png", string(good)), wanted{code: 3}},
		"a form of another kind":      {plain("application/x-www-form-urlencoded", "file=x"), wanted{code: 3}},
		"no boundary":                 {plain("multipart/form-data", "--x"), wanted{code: 3}},
		"nothing in the form":         {plain("multipart/form-data; boundary=x", "--x--\r\n"), wanted{code: 3}},
		"no file":                     {uploadRequest("", "picture", good), wanted{code: 3}},
		"cut off":                     {cut, wanted{code: 3}},
		"an empty file":               {file(nil), wanted{code: 3}},
		"text":                        {file([]byte("no picture")), wanted{code: 3}},
		"SVG":                         {file([]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), wanted{code: 3, says: "PNG"}},
		"BMP":                         {file([]byte("BM\x1e\x00\x00\x00\x00\x00\x00\x00\x1a\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x01\x00\x01\x00\x18\x00\xff\xff\xff\x00")), wanted{code: 3, says: "PNG"}},
		"half a PNG":                  {file(good[:len(good)/2]), wanted{code: 3}},
		"too many pixels on one side": {file(encodedPNG(t, 16385, 1)), wanted{code: 3}},
		"too many on the other":       {file(encodedJPEG(t, 1, 16385)), wanted{code: 3}},
		"a byte too many":             {file(make([]byte, picture.DefaultUploadBytes+1)), tooLarge},
		"far too many":                {file(make([]byte, 3<<20)), tooLarge},
		"too many and no picture":     {file(bytes.Repeat([]byte("x"), 1<<20)), tooLarge},
	}
}
