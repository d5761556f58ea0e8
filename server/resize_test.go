package server

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// plainPNG is a picture of one colour.
func plainPNG(t *testing.T, w, h int, c color.Color) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{c})
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const (
	publicBob  = "/assets/v1/" + acme + "/users/" + bob + "/avatar"
	managedBob = "/management/v1/users/" + bob + "/avatar"
)

// giveBob uploads a picture for Bob.
func (f *fixture) giveBob(t *testing.T, data []byte) {
	t.Helper()
	if res, body := f.upload(t, managedBob, "admin-token-1", data); res.StatusCode != http.StatusOK {
		t.Fatalf("upload: %d %s", res.StatusCode, body)
	}
}

// A picture comes in the size that was asked for, and never larger than it is stored; with tags of its own, which name the upload as well.
func TestSizes(t *testing.T) {
	f := start(t, nil)
	f.giveBob(t, plainPNG(t, 900, 300, color.NRGBA{R: 200, A: 255}))
	whole, full := f.do(t, http.MethodGet, publicBob, nil)
	generation, _, _ := strings.Cut(strings.Trim(whole.Header.Get("ETag"), `"`), "-")
	for side, want := range map[int]image.Point{1: {1, 1}, 16: {16, 5}, 64: {64, 21}, 512: {512, 171}, 1024: {900, 300}} {
		for range 2 { // made, and from memory
			path := fmt.Sprint(publicBob, "?unknown=%ZZ&size=", side)
			res, data := f.do(t, http.MethodGet, path, nil)
			got, kind, err := image.DecodeConfig(strings.NewReader(data))
			etag := fmt.Sprintf(`"%s-%d"`, generation, side)
			if res.StatusCode != http.StatusOK || err != nil || got.Width != want.X || got.Height != want.Y || res.Header.Get("ETag") != etag {
				t.Errorf("size %d: %d, %d × %d, tag %s (%v); want %v and tag %s", side, res.StatusCode, got.Width, got.Height, res.Header.Get("ETag"), err, want, etag)
			}
			for _, name := range []string{"Cache-Control", "X-Content-Type-Options", "Content-Security-Policy", "Accept-Ranges"} {
				if got, want := res.Header.Get(name), whole.Header.Get(name); got != want || want == "" {
					t.Errorf("size %d: %s = %q, want %q", side, name, got, want)
				}
			}
			if res.Header.Get("Content-Type") != "image/"+kind || side == 1024 && data != full {
				t.Errorf("size %d: %s, %d bytes; the stored picture has %d", side, res.Header.Get("Content-Type"), len(data), len(full))
			}
			if res, body := f.do(t, http.MethodGet, path, nil, "If-None-Match", etag); res.StatusCode != http.StatusNotModified || body != "" || res.Header.Get("ETag") != etag {
				t.Errorf("size %d, If-None-Match: %d %q", side, res.StatusCode, body)
			}
			if res, body := f.do(t, http.MethodHead, path, nil); res.StatusCode != http.StatusOK || body != "" || res.Header.Get("ETag") != etag {
				t.Errorf("size %d, HEAD: %d %q", side, res.StatusCode, body)
			}
		}
	}
	if res, _ := f.do(t, http.MethodGet, publicBob+"?size=64", nil, "If-None-Match", whole.Header.Get("ETag")); res.StatusCode != http.StatusOK {
		t.Errorf("the tag of the whole picture: %d, want 200", res.StatusCode)
	}
	if res, body := f.do(t, http.MethodDelete, managedBob, nil, bearer("admin-token-1", "If-Match", `"`+generation+`-64"`)...); res.StatusCode != http.StatusOK {
		t.Errorf("delete by the tag of a size: %d %s", res.StatusCode, body)
	}
	for _, tag := range []string{"", `"` + generation + `-64"`, "*"} {
		if res, body := f.do(t, http.MethodGet, publicBob+"?size=64", nil, "If-None-Match", tag); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "no picture") {
			t.Errorf("after the delete, If-None-Match %q: %d %s", tag, res.StatusCode, body)
		}
	}
}

// Sizes that are none are refused the same, whether there is a picture or not.
func TestSizesRefused(t *testing.T) {
	f := start(t, nil)
	var first string
	for _, query := range []string{"size=", "size", "size=0", "size=-1", "size=3", "size=48", "size=2048", "size=064", "size=+64", "size=1e2", "size=64&size=64", "size=%ZZ", "s%69ze=65"} {
		for _, path := range []string{publicBob, "/assets/v1/" + acme + "/users/" + alice + "/avatar", "/assets/v1/1/users/1/avatar", "/assets/v1/users/me/avatar"} {
			res, body := f.do(t, http.MethodGet, path+"?"+query, nil, bearer("alice-token-1")...)
			if first == "" {
				first = body
			}
			if res.StatusCode != http.StatusBadRequest || body != first || !strings.Contains(body, "AVATAR-s1Ze2") {
				t.Errorf("%s?%s: %d %s", path, query, res.StatusCode, body)
			}
		}
	}
}

// Memory holds nothing of a picture whose delete was seen: one that came here, and one that another process did.
func TestSizesOfRemovedPictures(t *testing.T) {
	for title, remove := range map[string]func(f *fixture){
		"deleted here":  func(f *fixture) { f.do(t, http.MethodDelete, managedBob, nil, bearer("admin-token-1")...) },
		"replaced here": func(f *fixture) { f.giveBob(t, plainPNG(t, 100, 100, color.White)) },
		"deleted elsewhere, then read": func(f *fixture) {
			if _, err := f.store.Remove(t.Context(), storage.Removal{User: f.key(bob), Organization: acme}); err != nil {
				t.Fatal(err)
			}
			f.do(t, http.MethodGet, publicBob, nil)
		},
		"replaced elsewhere, then read": func(f *fixture) {
			f.give(t, bob, acme)
			f.do(t, http.MethodGet, publicBob+"?size=16", nil)
		},
	} {
		f := start(t, nil)
		f.giveBob(t, plainPNG(t, 300, 300, color.Black))
		f.do(t, http.MethodGet, publicBob+"?size=64", nil)
		c := f.server.renditions
		if c.latest.Len() != 1 {
			t.Fatalf("%s: %d renditions are kept, want 1", title, c.latest.Len())
		}
		kept := c.latest.Front().Value.(*keptRendition)
		remove(f)
		c.mu.Lock()
		if c.people[f.key(bob)] != nil && c.people[f.key(bob)].generation == kept.generation || !bytes.Equal(kept.data, make([]byte, len(kept.data))) {
			t.Errorf("%s: the rendition is still in memory", title)
		}
		c.mu.Unlock()
	}
}

// What is in memory is not sent once the store says that the picture is gone or another one.
func TestSizesAskTheStore(t *testing.T) {
	f := start(t, nil)
	f.giveBob(t, plainPNG(t, 300, 300, color.Black))
	for range 3 {
		f.do(t, http.MethodGet, publicBob+"?size=64", nil)
	}
	if st := f.server.renditions.stats(); st.Hits != 2 || st.Misses != 1 || st.Entries != 1 || st.Used <= renditionCost {
		t.Errorf("%+v, want one rendition, found twice", st)
	}
	if _, err := f.store.Remove(t.Context(), storage.Removal{User: f.key(bob), Organization: acme}); err != nil {
		t.Fatal(err)
	}
	if res, body := f.do(t, http.MethodGet, publicBob+"?size=64", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("deleted by another process: %d, %d bytes; want 404", res.StatusCode, len(body))
	}
}

// A caller whose turns are taken gets 503, and nobody else notices; pictures that are kept need no turn.
func TestSizesAreShed(t *testing.T) {
	f := start(t, func(c *Config) { c.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Address") } })
	f.giveBob(t, plainPNG(t, 300, 300, color.Black))
	resizing := f.server.strangers.resizing
	resizing.timeout = 0
	var taken lease
	if err := resizing.acquire(t.Context(), &taken, semaphoreKey{address: netip.MustParseAddr("192.0.2.1")}, resizing.each, nil); err != nil {
		t.Fatal(err)
	}
	defer taken.release()
	for _, row := range []struct {
		address string
		status  int
	}{{"192.0.2.1", 503}, {"192.0.2.2", 200}, {"192.0.2.1", 200}} {
		res, body := f.do(t, http.MethodGet, publicBob+"?size=32", nil, "X-Address", row.address)
		if res.StatusCode != row.status || row.status == 503 && res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %.80q, want %d", row.address, res.StatusCode, body, row.status)
		}
	}
}

// A stored picture that cannot be decoded is an error of that read, and no fault of the caller's.
func TestSizeOfNoPicture(t *testing.T) {
	f := start(t, nil)
	if _, err := f.store.Put(t.Context(), storage.Upload{User: f.key(bob), Organization: acme,
		Picture: storage.Picture{Format: storage.PNG, Data: []byte("no picture")}}); err != nil {
		t.Fatal(err)
	}
	if res, body := f.do(t, http.MethodGet, publicBob+"?size=32", nil); res.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "internal error") {
		t.Errorf("%d %s, want 500", res.StatusCode, body)
	}
}
