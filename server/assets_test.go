package server

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// form returns a multipart body with one file field, and its media type.
func formOf(field string, data []byte) (*bytes.Buffer, string) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile(field, "anything.exe")
	_, _ = part.Write(data)
	_ = w.Close()
	return &body, w.FormDataContentType()
}

func (f *fixture) upload(t *testing.T, path, token string, data []byte) (*http.Response, string) {
	t.Helper()
	body, media := formOf("file", data)
	return f.do(t, http.MethodPost, path, body, bearer(token, "Content-Type", media)...)
}

func TestPictureComesAndGoes(t *testing.T) {
	f := start(t, nil)
	public := "/assets/v1/" + acme + "/users/" + bob + "/avatar"
	management := "/management/v1/users/" + bob + "/avatar"
	_, nothing := f.do(t, http.MethodGet, public, nil)

	res, body := f.upload(t, management, "admin-token-1", picture.Sample(1, 4000))
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(body, `{"details":{"sequence":"2",`) || res.Header.Get("X-Avatard-Receipt") != "" {
		t.Fatalf("upload: %d %s", res.StatusCode, body)
	}
	res, data := f.do(t, http.MethodGet, public, nil, "Range", "bytes=0-3")
	etag := res.Header.Get("ETag")
	if res.StatusCode != http.StatusOK || len(data) < 100 || etag == "" {
		t.Fatalf("read: %d, %d bytes, ETag %q", res.StatusCode, len(data), etag)
	}
	for name, want := range map[string]string{"Cache-Control": "public, no-cache", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "none",
		"Content-Security-Policy": "default-src 'none'; sandbox", "Content-Type": http.DetectContentType([]byte(data)), "Content-Length": fmt.Sprint(len(data))} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for _, tag := range []string{etag, `"x", W/` + etag, "*"} {
		if res, body := f.do(t, http.MethodGet, public, nil, "If-None-Match", tag); res.StatusCode != http.StatusNotModified || body != "" || res.Header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d %q", tag, res.StatusCode, body)
		}
	}
	if res, body := f.do(t, http.MethodHead, public, nil); res.StatusCode != http.StatusOK || body != "" || res.ContentLength != int64(len(data)) {
		t.Errorf("HEAD: %d, %d bytes, length %d", res.StatusCode, len(body), res.ContentLength)
	}
	res, body = f.upload(t, management, "admin-token-1", picture.Sample(2, 4000))
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Avatard-Receipt") == "" {
		t.Errorf("replacement: %d %s %v, want a receipt", res.StatusCode, body, res.Header)
	}
	if res, _ := f.do(t, http.MethodGet, public, nil, "If-None-Match", etag); res.StatusCode != http.StatusOK || res.Header.Get("ETag") == etag {
		t.Errorf("after the replacement: %d, ETag %q", res.StatusCode, res.Header.Get("ETag"))
	}
	f.do(t, http.MethodDelete, management, nil, bearer("admin-token-1")...)
	for _, tag := range []string{"", etag, "*"} {
		if res, body := f.do(t, http.MethodGet, public, nil, "If-None-Match", tag); res.StatusCode != http.StatusNotFound || body != nothing {
			t.Errorf("after the delete, If-None-Match %q: %d %s", tag, res.StatusCode, body)
		}
	}
}

func TestNoPictureIsOneAnswer(t *testing.T) {
	f := start(t, nil)
	const want = `{"code":5,"message":"no picture"}`
	for title, path := range map[string]string{
		"unknown organisation": "/assets/v1/1/users/" + alice + "/avatar",
		"unknown user":         "/assets/v1/" + acme + "/users/1/avatar",
		"wrong pair":           "/assets/v1/" + globex + "/users/" + alice + "/avatar",
		"no picture":           "/assets/v1/" + acme + "/users/" + bob + "/avatar",
		"no id":                "/assets/v1/" + acme + "/users//avatar",
		"no UTF-8":             "/assets/v1/%FF/users/%00/avatar",
	} {
		if res, body := f.do(t, http.MethodGet, path, nil); res.StatusCode != http.StatusNotFound || body != want || res.Header.Get("ETag") != "" {
			t.Errorf("%s: %d %s, want 404 %s", title, res.StatusCode, body, want)
		}
	}
}

func TestWhoReads(t *testing.T) {
	f := start(t, func(c *Config) { c.PublicAssets = false })
	ofAlice, ofCarol := "/assets/v1/"+acme+"/users/"+alice+"/avatar", "/assets/v1/"+globex+"/users/"+carol+"/avatar"
	rows := []struct {
		title, path, token string
		status             int
		says               string
	}{
		{"own picture", "/assets/v1/users/me/avatar", "alice-token-1", 200, ""},
		{"own picture, none", "/assets/v1/users/me/avatar", "admin-token-1", 404, "USER-35N8f"},
		{"own picture, token of another organisation", "/assets/v1/users/me/avatar", "moved-token-1", 400, `"code":9`},
		{"own picture by its public path", ofAlice, "alice-token-1", 200, ""},
		{"viewer", ofAlice, "viewer-token-1", 200, ""},
		{"no role", ofAlice, "nobody-token-1", 404, "AUTHZ-cdgFk"},
		{"role elsewhere", ofCarol, "viewer-token-1", 404, "AUTHZ-cdgFk"},
		{"role there", ofCarol, "admin-token-1", 200, ""},
		{"own id, but of another organisation", "/assets/v1/" + acme + "/users/" + alice + "/avatar", "moved-token-1", 404, "AUTHZ-cdgFk"},
		{"reader of an unknown user", "/assets/v1/" + acme + "/users/1/avatar", "viewer-token-1", 404, "no picture"},
	}
	for _, row := range rows {
		res, body := f.do(t, http.MethodGet, row.path, nil, bearer(row.token)...)
		if res.StatusCode != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s: %d %.60q, want %d with %q", row.title, res.StatusCode, body, row.status, row.says)
		}
		if cache := res.Header.Get("Cache-Control"); row.status == 200 && cache != "private, no-cache" {
			t.Errorf("%s: Cache-Control %q", row.title, cache)
		}
	}
	for _, header := range []string{"X-Zitadel-Orgid", "Grpc-Metadata-X-Zitadel-Orgid"} {
		if res, body := f.do(t, http.MethodGet, ofAlice, nil, bearer("admin-token-1", header, globex)...); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s of another organisation than the path's: %d %s, want 403", header, res.StatusCode, body)
		}
	}
}

func TestUploadsRefused(t *testing.T) {
	f := start(t, nil)
	own, management := "/assets/v1/users/me/avatar", "/management/v1/users/"+bob+"/avatar"
	good := picture.Sample(3, 3000)
	file := func(field string, data []byte) (string, string) {
		b, media := formOf(field, data)
		return b.String(), media
	}
	rows := []struct {
		title, path, token string
		form               func() (body, media string)
		status             int
		says               string
	}{
		{"no multipart", management, "admin-token-1", func() (string, string) { return "a=b", "application/x-www-form-urlencoded" }, 400, "multipart"},
		{"no media type", management, "admin-token-1", func() (string, string) { return "", "" }, 400, "multipart"},
		{"other field", management, "admin-token-1", func() (string, string) { return file("picture", good) }, 400, "no field file"},
		{"cut off", management, "admin-token-1", func() (string, string) { b, m := file("file", good); return b[:len(b)-200], m }, 400, "incomplete"},
		{"SVG", management, "admin-token-1", func() (string, string) { return file("file", []byte("<svg/>")) }, 400, "PNG, JPEG, GIF and WebP"},
		{"nothing in it", management, "admin-token-1", func() (string, string) { return file("file", nil) }, 400, "PNG, JPEG, GIF and WebP"},
		{"a byte too many", management, "admin-token-1", func() (string, string) { return file("file", make([]byte, picture.DefaultUploadBytes+1)) }, 413, "524288"},
		{"far too many", management, "admin-token-1", func() (string, string) { return file("file", make([]byte, 4<<20)) }, 413, "524288"},
		{"many bytes before it", management, "admin-token-1", func() (string, string) {
			return file("other", make([]byte, picture.DefaultUploadBytes+maxFormBytes-200))
		}, 413, "524288"},
		{"bad id", "/management/v1/users/%00/avatar", "admin-token-1", func() (string, string) { return file("file", good) }, 400, "user id"},
		{"unknown user", "/management/v1/users/1/avatar", "admin-token-1", func() (string, string) { return file("file", good) }, 404, "USER-35N8f"},
		{"user of another organisation", "/management/v1/users/" + carol + "/avatar", "admin-token-1", func() (string, string) { return file("file", good) }, 404, "USER-35N8f"},
		{"no permission", management, "viewer-token-1", func() (string, string) { return file("file", good) }, 403, "AUTH-5mWD2"},
		{"own, another organisation's token", own, "moved-token-1", func() (string, string) { return file("file", good) }, 400, `"code":9`},
		{"own, no organisation in the token", own, "homeless-token-1", func() (string, string) { return file("file", good) }, 404, "AUTHZ-cdgFk"},
	}
	for _, row := range rows {
		body, media := row.form()
		res, said := f.do(t, http.MethodPost, row.path, strings.NewReader(body), bearer(row.token, "Content-Type", media)...)
		if res.StatusCode != row.status || !strings.Contains(said, row.says) {
			t.Errorf("%s: %d %s, want %d with %q", row.title, res.StatusCode, said, row.status, row.says)
		}
	}
	if f.has(t, bob, acme) {
		t.Error("a refused upload left a picture")
	}
}

// The answer to the upload of an animation says that one frame was kept.
func TestUploadOfAnimation(t *testing.T) {
	f := start(t, nil)
	palette := color.Palette{color.Black, color.White}
	frame := image.NewPaletted(image.Rect(0, 0, 2, 2), palette)
	for frames := 1; frames <= 2; frames++ {
		var animation bytes.Buffer
		if err := gif.EncodeAll(&animation, &gif.GIF{Image: slices.Repeat([]*image.Paletted{frame}, frames), Delay: make([]int, frames)}); err != nil {
			t.Fatal(err)
		}
		res, body := f.upload(t, "/management/v1/users/"+bob+"/avatar", "admin-token-1", animation.Bytes())
		if notice := res.Header.Get(noticeHeader); res.StatusCode != http.StatusOK || strings.Contains(notice, "first frame") != (frames > 1) {
			t.Errorf("%d frames: %d %s, notice %q", frames, res.StatusCode, body, notice)
		}
	}
}

func TestUploadRegisters(t *testing.T) {
	f := start(t, func(c *Config) { c.RegisterOnAdminUpload = true })
	for title, row := range map[string][2]string{
		"own":          {"/assets/v1/users/me/avatar", "new-token-1"},
		"by an admin":  {"/management/v1/users/555/avatar", "admin-token-1"},
		"zoë, by name": {"/management/v1/users/zo%C3%AB/avatar", "admin-token-1"},
	} {
		if res, body := f.upload(t, row[0], row[1], picture.Sample(5, 900)); res.StatusCode != http.StatusOK || !strings.Contains(body, `"sequence":"2"`) {
			t.Errorf("%s: %d %s", title, res.StatusCode, body)
		}
	}
	if !f.has(t, "zoë", acme) || !f.has(t, "555", acme) {
		t.Error("the pictures are not there")
	}
}
