package server

import (
	"encoding/json"
	"image/color"
	"net/http"
	"strings"
	"testing"
)

// The answer to an upload has the address of that picture. Nothing is there once it is replaced or deleted, in whatever size, and caches
// have to ask as everywhere.
func TestVersionedURL(t *testing.T) {
	f := start(t, func(c *Config) { c.RegisterOnAdminUpload = true })
	upload := func(path, token string, c color.Color) string {
		t.Helper()
		res, body := f.upload(t, path, token, plainPNG(t, 64, 64, c))
		var answer struct {
			PictureURL string `json:"pictureUrl"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res.StatusCode, body)
		}
		return answer.PictureURL
	}
	want := func(status int, title, path string, headers ...string) (etag string) {
		t.Helper()
		res, body := f.do(t, http.MethodGet, path, nil, headers...)
		if cache := res.Header.Get("Cache-Control"); res.StatusCode != status || status == http.StatusOK && cache != "public, no-cache" {
			t.Errorf("%s: %d, Cache-Control %q, %.80q; want %d", title, res.StatusCode, cache, body, status)
		}
		return res.Header.Get("ETag")
	}
	first := upload(managedBob, "admin-token-1", color.Black)
	etag := want(200, "the first picture", first)
	generation, _, _ := strings.Cut(strings.Trim(etag, `"`), "-")
	if first != publicBob+"?generation="+generation {
		t.Errorf("the address is %s, and the tag %s", first, etag)
	}
	want(200, "in a size", first+"&size=16")
	want(304, "a picture that the caller has", first, "If-None-Match", etag)
	second := upload(managedBob, "admin-token-1", color.White)
	for _, rest := range []string{"", "&size=16", "&default=404"} {
		want(404, "replaced"+rest, first+rest)
		want(404, "replaced"+rest, first+rest, "If-None-Match", etag)
		want(200, "the second picture"+rest, second+rest)
	}
	want(200, "replaced, with a default", first+"&default=identicon")
	f.do(t, http.MethodDelete, managedBob, nil, bearer("admin-token-1")...)
	for _, rest := range []string{"", "&size=16"} {
		want(404, "deleted"+rest, second+rest)
	}
	upload(managedBob, "admin-token-1", color.White)
	want(404, "the same picture again", second)
	want(404, "no version of any picture", publicBob+"?generation=x")
	want(400, "no version", publicBob+"?generation=")
	for _, of := range []string{"?v=x", "?v=", "?v=8d777f385d3dfec8815d20f7496026dc", "?v=1&v=2"} { // ZITADEL's addresses have a hash there
		want(200, "a parameter that is not avatard's", publicBob+of)
	}
	odd := upload("/management/v1/users/z%2F%C3%AB%20%3F/avatar", "admin-token-1", color.White)
	want(200, "an odd id", odd)
	if own := upload("/assets/v1/users/me/avatar", "alice-token-1", color.Black); !strings.HasPrefix(own, "/assets/v1/"+acme+"/users/"+alice+"/avatar?generation=") {
		t.Errorf("one's own: %s", own)
	} else {
		want(200, "one's own", own)
	}
}
