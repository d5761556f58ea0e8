package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/internal/config"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
	"example.org/avatard/test/client"
)

// memoryPlace returns where serve and dev keep data in stores in memory, which the last element of the setting data names.
func memoryPlace(stores *memory.Memory) func(config.Config) storage.Place {
	return func(cfg config.Config) storage.Place { return stores.Place(filepath.Base(cfg.Data)) }
}

// startInMemory runs a command on stores in memory until its output holds ready. It fails the test when the command makes the directory
// that it would keep its data in otherwise.
func startInMemory(t *testing.T, stores *memory.Memory, dir, ready string, environ []string, args ...string) *running {
	t.Helper()
	r := startFunc(t, ready, func(ctx context.Context, out io.Writer) error {
		return (&cli.Program{Environ: environ, Stdout: out, Stderr: out, Place: memoryPlace(stores)}).Run(ctx, args)
	})
	t.Cleanup(func() {
		if _, err := os.Lstat(dir); err == nil {
			t.Errorf("%s is there, want nothing but what is in memory", dir)
		}
	})
	return r
}

// removeOver uploads a picture of alice over REST, deletes it in one form, and demands that it is gone from the server and from its store.
func removeOver(t *testing.T, form client.Form, url, token string, store storage.Engine, alice storage.UserKey) {
	t.Helper()
	by := newCaller(t, url)
	if up := by.Upload(t.Context(), client.Bearer(token), alice.ID, picture.Sample(1, 3000)); !up.Acknowledged() {
		t.Fatalf("upload before a delete over %s: %v", form, up)
	}
	if _, err := store.Get(t.Context(), alice, devidp.OrgAcme); err != nil {
		t.Fatalf("Get before a delete over %s: %v", form, err)
	}
	if got := by.remove(t, form, token, alice.ID); !got.Acknowledged() || got.Receipt() == "" {
		t.Errorf("delete over %s: %v, want a receipt", form, got)
	}
	if _, err := store.Get(t.Context(), alice, devidp.OrgAcme); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get after a delete over %s = %v, want %v", form, err, storage.ErrNoPicture)
	}
}

// serve and dev work on any engine: here they delete pictures of one in memory, over REST and over gRPC.
func TestServersOnAnotherEngine(t *testing.T) {
	stores := memory.New("")
	open := func(name string) storage.Engine {
		store, err := stores.Place(name).Open(t.Context(), storage.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	}
	t.Run("serve", func(t *testing.T) {
		p := newProvider(t, nil)
		dir := filepath.Join(t.TempDir(), "served")
		environ := []string{"AVATARD_LISTEN=127.0.0.1:0", "AVATARD_DATA=" + dir, "AVATARD_ORGANISATIONS=" + devidp.OrgAcme}
		for name, value := range p.Settings() {
			environ = append(environ, name+"="+value)
		}
		url := servedURL(t, startInMemory(t, stores, dir, serveReady, environ, "serve"))
		store, alice := open("served"), storage.UserKey{Issuer: p.Issuer, ID: devidp.UserAlice}
		if _, _, err := store.AddUser(t.Context(), alice, devidp.OrgAcme, admin.CommandLine); err != nil {
			t.Fatal(err)
		}
		removeOver(t, client.REST, url, p.Tokens["TOKEN_MANAGER"], store, alice)
		removeOver(t, client.GRPC, url, p.Tokens["TOKEN_MANAGER"], store, alice)
	})
	t.Run("dev", func(t *testing.T) {
		dir, file := filepath.Join(t.TempDir(), "developed"), filepath.Join(t.TempDir(), "dev.env")
		startInMemory(t, stores, dir, devReady, nil, "dev", "--listen", "127.0.0.1:0", "--env-file", file, "--data", dir, "--seed-users", "3")
		env := readEnvFile(t, file)
		store, alice := open("developed"), storage.UserKey{Issuer: "dev", ID: devidp.UserAlice}
		if _, err := store.Get(t.Context(), alice, devidp.OrgAcme); err != nil {
			t.Errorf("Get of what dev seeds = %v", err)
		}
		removeOver(t, client.REST, env["AVATARD_URL"], env["TOKEN_MANAGER"], store, alice)
		removeOver(t, client.GRPC, env["AVATARD_URL"], env["TOKEN_MANAGER"], store, alice)
	})
}
