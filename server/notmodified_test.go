package server

import (
	"context"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"example.org/avatard/server/picture"
	"example.org/avatard/storage/embedded"
)

// countedFile counts the calls to a file of the store.
type countedFile struct {
	embedded.File
	done *atomic.Int64
}

func (f countedFile) ReadAt(p []byte, off int64) (int, error) {
	f.done.Add(1)
	return f.File.ReadAt(p, off)
}

func (f countedFile) WriteAt(p []byte, off int64) (int, error) {
	f.done.Add(1)
	return f.File.WriteAt(p, off)
}

func (f countedFile) Sync() error {
	f.done.Add(1)
	return f.File.Sync()
}

// 304 and HEAD touch no file, and do not wait for memory or a turn.
func TestNotModifiedTouchesNoDisk(t *testing.T) {
	var done atomic.Int64
	f := start(t, func(c *Config) {
		store, err := embedded.Open(context.Background(), embedded.Config{Dir: t.TempDir(),
			WrapFile: func(_ string, f embedded.File) embedded.File { return countedFile{f, &done} }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		c.Store, c.RegisterOnAdminUpload = store, true
	})
	if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", picture.Sample(1, 4000)); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode, said)
	}
	for title, path := range map[string]string{"public": "/assets/v1/" + acme + "/users/" + alice + "/avatar", "own": "/assets/v1/users/me/avatar"} {
		res, data := f.do(t, http.MethodGet, path, nil, bearer("alice-token-1")...)
		etag := res.Header.Get("ETag")
		if res.StatusCode != http.StatusOK || etag == "" {
			t.Fatal(res.StatusCode, data)
		}
		var held []*lease
		for _, room := range []readBudget{f.server.known, f.server.strangers} {
			for _, of := range []semaphoreKey{{caller: alice}, {address: netip.MustParseAddr("127.0.0.1")}} {
				for _, all := range []*keyedSemaphore{room.bytes, room.turns} {
					taken := new(lease)
					if err := all.acquire(t.Context(), taken, of, all.each, nil); err != nil {
						t.Fatal(err)
					}
					held = append(held, taken)
				}
			}
		}
		done.Store(0)
		for range 3 {
			if res, body := f.do(t, http.MethodGet, path, nil, bearer("alice-token-1", "If-None-Match", etag)...); res.StatusCode != http.StatusNotModified || body != "" {
				t.Errorf("%s: %d %q, want 304", title, res.StatusCode, body)
			}
			if res, _ := f.do(t, http.MethodHead, path, nil, bearer("alice-token-1")...); res.StatusCode != http.StatusOK || res.ContentLength != int64(len(data)) {
				t.Errorf("%s: HEAD: %d of %d bytes, want 200 of %d", title, res.StatusCode, res.ContentLength, len(data))
			}
		}
		if n := done.Load(); n != 0 {
			t.Errorf("%s: %d file operations, want none", title, n)
		}
		for _, taken := range held {
			taken.release()
		}
	}
}

// 304 says what a cache may have to renew, and the same of it as 200 (RFC 9110 section 15.4.5). What else came with the picture the cache has.
func TestNotModifiedSaysWhatCachesNeed(t *testing.T) {
	f := start(t, nil)
	if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", picture.Sample(1, 4000)); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode, said)
	}
	public := "/assets/v1/" + acme + "/users/" + alice + "/avatar"
	for path, want := range map[string]string{
		public:                       "Cache-Control Date Etag X-Request-Id",
		public + "?size=8":           "Cache-Control Date Etag X-Request-Id",
		"/assets/v1/users/me/avatar": "Cache-Control Date Etag Vary X-Request-Id",
		"/assets/v1/1/users/1/avatar?default=initials": "Cache-Control Date Etag X-Request-Id",
	} {
		whole, _ := f.do(t, http.MethodGet, path, nil, bearer("alice-token-1")...)
		res, body := f.do(t, http.MethodGet, path, nil, bearer("alice-token-1", "If-None-Match", whole.Header.Get("ETag"))...)
		names := strings.Join(slices.Sorted(maps.Keys(res.Header)), " ")
		if whole.StatusCode != http.StatusOK || res.StatusCode != http.StatusNotModified || body != "" || names != want {
			t.Errorf("%s: %d, then %d %q with %s; want 304 with %s", path, whole.StatusCode, res.StatusCode, body, names, want)
		}
		for _, name := range []string{"Cache-Control", "Etag", "Vary"} {
			if got, want := res.Header.Get(name), whole.Header.Get(name); got != want {
				t.Errorf("%s: %s = %q, with the picture %q", path, name, got, want)
			}
		}
	}
}
