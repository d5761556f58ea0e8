package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// failingSlab is a slab that cannot be synced for a while.
type failingSlab struct {
	embedded.File
	fails *atomic.Bool
	// page cannot be written, 0 for none; newest is where the newest picture lies.
	page, newest *atomic.Int64
}

func (f failingSlab) WriteAt(p []byte, off int64) (int, error) {
	if page := f.page.Load() * 4096; page > 0 && off <= page && page < off+int64(len(p)) {
		return 0, errors.New(secret)
	}
	if bytes.HasPrefix(p, []byte("avtdpic1")) {
		f.newest.Store(off / 4096)
	}
	return f.File.WriteAt(p, off)
}

func (f failingSlab) Sync() error {
	if f.fails.Load() {
		return errors.New(secret)
	}
	return f.File.Sync()
}

// /readyz names an erasure that cannot be finished apart from other faults of the store, and does not say why. With that fault alone the
// server is ready.
func TestReadyzNamesErasures(t *testing.T) {
	var fails atomic.Bool
	var page, newest atomic.Int64
	store, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir(), WrapFile: func(name string, f embedded.File) embedded.File {
		if strings.HasSuffix(name, ".slab") {
			return failingSlab{f, &fails, &page, &newest}
		}
		return f
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := start(t, func(c *Config) {
		c.Store, c.Checks = store, []Check{{Name: "erasures", Ready: store.ErasuresDone, Advisory: true}}
	})
	f.store = store
	if _, _, err := store.AddUser(t.Context(), f.key(alice), acme, storage.Origin{Caller: "test"}); err != nil {
		t.Fatal(err)
	}
	f.give(t, alice, acme)
	ready := func(want int, body string) {
		t.Helper()
		if res, got := f.do(t, http.MethodGet, "/readyz", nil); res.StatusCode != want || got != body {
			t.Errorf("/readyz: %d %q, want %d %q", res.StatusCode, got, want, body)
		}
	}
	remove := func(want int) {
		t.Helper()
		if res, body := f.do(t, http.MethodDelete, "/auth/v1/users/me/avatar", nil, "Authorization", "Bearer alice-token-1"); res.StatusCode != want {
			t.Errorf("delete: %d %s, want %d", res.StatusCode, body, want)
		}
	}
	ready(http.StatusOK, "ok\n")
	fails.Store(true)
	remove(http.StatusServiceUnavailable)
	ready(http.StatusServiceUnavailable, "not ready: storage, erasures\n")
	if !strings.Contains(f.log.String(), "1 erasures cannot be finished") {
		t.Error("the log does not say why")
	}
	fails.Store(false)
	remove(http.StatusOK)
	ready(http.StatusOK, "ok\n")

	f.give(t, alice, acme)
	page.Store(newest.Load())
	remove(http.StatusServiceUnavailable)
	ready(http.StatusOK, "ok, except: erasures\n")
	page.Store(0)
	remove(http.StatusOK)
	ready(http.StatusOK, "ok\n")
}
