package server

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"avatard/storage"
	"avatard/storage/embedded"
)

// failingSlab is a slab that cannot be synced for a while.
type failingSlab struct {
	embedded.File
	fails *atomic.Bool
}

func (f failingSlab) Sync() error {
	if f.fails.Load() {
		return errors.New(secret)
	}
	return f.File.Sync()
}

// An erasure that cannot be finished is named apart from other faults of the store, without a word of why.
func TestReadyzNamesErasures(t *testing.T) {
	var fails atomic.Bool
	store, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir(), WrapFile: func(name string, f embedded.File) embedded.File {
		if strings.HasSuffix(name, ".slab") {
			return failingSlab{f, &fails}
		}
		return f
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := start(t, func(c *Config) {
		c.Store, c.Checks = store, []Check{{Name: "erasures", Ready: store.ErasuresDone}}
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
}
