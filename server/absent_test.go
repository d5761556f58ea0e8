package server

import (
	"fmt"
	"image"
	"image/color"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// what an answer is to a client, but for what differs from request to request.
func answered(res *http.Response, body string) string {
	header := res.Header.Clone()
	header.Del("Date")
	header.Del("X-Request-Id")
	return fmt.Sprint(res.StatusCode, header, body)
}

func withDefaultImage(t *testing.T) func(*Config) {
	return func(c *Config) { c.DefaultImage = plainPNG(t, 300, 200, color.NRGBA{G: 99, A: 255}) }
}

// Where there is no picture, what was asked for comes in its place, and is the same whatever the reason, on every route.
func TestDefaults(t *testing.T) {
	f := start(t, withDefaultImage(t))
	for _, query := range []string{"default=identicon", "default=initials", "default=image", "default=initials&size=16", "size=64&default=image", "default=identicon&size=1024"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			var first, etag string
			// Carol is of another organisation, Bob has no picture, nobody has an organisation that is not registered.
			for _, path := range []string{"/assets/v1/" + acme + "/users/" + carol, "/assets/v1/" + acme + "/users/" + bob, "/assets/v1/" + initech + "/users/" + bob,
				"/assets/v1/" + acme + "/users/1"} {
				res, _ := f.do(t, method, path+"/avatar?"+query, nil)
				if etag = res.Header.Get("ETag"); res.StatusCode != http.StatusOK || etag == "" || res.Header.Get("Cache-Control") != "public, no-cache" ||
					res.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Fatalf("%s %s?%s: %d %v", method, path, query, res.StatusCode, res.Header)
				}
				for _, tag := range []string{etag, `"x", ` + etag} {
					if res, body := f.do(t, method, path+"/avatar?"+query, nil, "If-None-Match", tag); res.StatusCode != http.StatusNotModified || body != "" || res.Header.Get("ETag") != etag {
						t.Errorf("%s?%s, If-None-Match: %d %q", path, query, res.StatusCode, body)
					}
				}
			}
			// The same id, for each reason in turn.
			for _, reason := range []func(){
				func() {},
				func() { f.add(t, "7", globex) },
				func() { f.remove7(t); f.add(t, "7", acme) },
				func() { f.give(t, "7", acme); f.remove7(t); f.add(t, "7", acme) },
				func() { f.remove7(t) },
			} {
				reason()
				got := answered(f.do(t, method, "/assets/v1/"+acme+"/users/7/avatar?"+query, nil))
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("%s %s differs by reason:\n%.300q\n%.300q", method, query, got, first)
				}
			}
			f.remove7(t)
		}
	}
}

func (f *fixture) add(t *testing.T, user, org string) {
	t.Helper()
	if _, _, err := f.store.AddUser(t.Context(), f.key(user), org, storage.Origin{Caller: "test", Readmits: true}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) remove7(t *testing.T) {
	t.Helper()
	if _, err := f.store.EraseUser(t.Context(), storage.Removal{User: f.key("7"), AnyOrganization: true}); err != nil {
		t.Fatal(err)
	}
}

// A default has the size that was asked for. Those of different people differ, but for the configured picture; on one's own route the
// default is that of one's id.
func TestDefaultSizes(t *testing.T) {
	f := start(t, withDefaultImage(t))
	for query, want := range map[string]image.Point{
		"default=identicon": {256, 256}, "default=initials": {256, 256}, "default=image": {300, 200},
		"default=identicon&size=1": {1, 1}, "default=initials&size=64": {64, 64}, "default=image&size=64": {64, 43}, "default=image&size=512": {300, 200},
	} {
		res, mine := f.do(t, http.MethodGet, "/assets/v1/"+acme+"/users/100000000000000009/avatar?"+query, nil)
		got, kind, err := image.DecodeConfig(strings.NewReader(mine))
		if err != nil || image.Pt(got.Width, got.Height) != want || res.Header.Get("Content-Type") != "image/"+kind || res.ContentLength != int64(len(mine)) {
			t.Errorf("%s: %d × %d, %s (%v), want %v", query, got.Width, got.Height, res.Header.Get("Content-Type"), err, want)
		}
		_, other := f.do(t, http.MethodGet, "/assets/v1/"+acme+"/users/1/avatar?"+query, nil)
		if (mine == other) != strings.Contains(query, "image") && !strings.HasSuffix(query, "=1") {
			t.Errorf("%s: the same for two people: %v", query, mine == other)
		}
		own, same := f.do(t, http.MethodGet, "/assets/v1/users/me/avatar?"+query, nil, bearer("new-token-1")...)
		if same != mine || own.Header.Get("ETag") != res.Header.Get("ETag") || own.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s on the own route: %d %v", query, own.StatusCode, own.Header)
		}
	}
}

// A picture that is uploaded is seen at once by who had the default, and the default by who had the picture.
func TestDefaultGivesWay(t *testing.T) {
	f := start(t, nil)
	path := publicBob + "?default=initials"
	before, _ := f.do(t, http.MethodGet, path, nil)
	f.giveBob(t, plainPNG(t, 10, 10, color.White))
	there, _ := f.do(t, http.MethodGet, path, nil, "If-None-Match", before.Header.Get("ETag"))
	if there.StatusCode != http.StatusOK || there.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Errorf("after the upload: %d, tag %s", there.StatusCode, there.Header.Get("ETag"))
	}
	f.do(t, http.MethodDelete, managedBob, nil, bearer("admin-token-1")...)
	after, _ := f.do(t, http.MethodGet, path, nil, "If-None-Match", there.Header.Get("ETag"))
	if after.StatusCode != http.StatusOK || after.Header.Get("ETag") != before.Header.Get("ETag") {
		t.Errorf("after the delete: %d, tag %s, want %s", after.StatusCode, after.Header.Get("ETag"), before.Header.Get("ETag"))
	}
	if res, body := f.upload(t, managedBob, "admin-token-1", plainPNG(t, 10, 10, color.White)); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode, body)
	}
	if res, _ := f.do(t, http.MethodDelete, managedBob, nil, bearer("admin-token-1", "If-Match", before.Header.Get("ETag"))...); res.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("delete of the default: %d, want 412", res.StatusCode)
	}
}

// Without a default, or with 404, the answers are as ever; others are refused, whoever was asked for.
func TestDefaultsRefused(t *testing.T) {
	f := start(t, nil)
	if res, body := f.do(t, http.MethodGet, publicBob+"?default=404", nil); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "no picture") {
		t.Errorf("404: %d %s", res.StatusCode, body)
	}
	for _, value := range []string{"", "image", "mp", "Identicon", "https://elsewhere.example/a.png", "404&default=404"} {
		var got []string
		for _, path := range []string{publicBob, "/assets/v1/" + acme + "/users/" + alice + "/avatar", "/assets/v1/1/users/1/avatar", "/assets/v1/users/me/avatar"} {
			res, body := f.do(t, http.MethodGet, path+"?default="+value, nil, bearer("alice-token-1")...)
			if got = append(got, body); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "default is") || !strings.Contains(body, "AVATAR-s1Ze2") {
				t.Errorf("%s?default=%s: %d %s", path, value, res.StatusCode, body)
			}
		}
		if len(slices.Compact(got)) != 1 {
			t.Errorf("%q: %q", value, got)
		}
	}
	if _, err := New(Config{Store: f.store, Issuer: issuer, Authenticator: tokens(people()), Permissions: f.server.config.Permissions, DefaultImage: []byte("<svg/>")}); err == nil {
		t.Error("a default image that no upload may be is taken")
	}
}

func TestLettersOfIds(t *testing.T) {
	for id, want := range map[string]string{"100000000000000042": "42", "7": "7", "alice": "A", "alice.of-wonderland": "AW", "zoë 9": "Z9", "…": "", "00-13": "13"} {
		if got := lettersOf(id); got != want {
			t.Errorf("%q: %q, want %q", url.PathEscape(id), got, want)
		}
	}
}
