//go:build unix

package testbed

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/test/client"
)

// The real program is built, answers all wire forms, is killed, and its database can be read without a change.
func TestTestbed(t *testing.T) {
	ctx := t.Context()
	binary, err := Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := New(Config{Binary: binary, Dir: dir, People: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	srv, err := s.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Kill()
	if err := srv.Ready(ctx); err != nil {
		t.Error(err)
	}
	if printed, err := s.Fsck(ctx); err != nil {
		t.Errorf("fsck = %v: %s", err, printed)
	}
	c := NewClient(srv.URL)
	defer c.Close()
	pictures := newTestSet(t, 1, 2*len(client.Forms()))
	removed := make(map[string]string)
	for i, form := range client.Forms() {
		uploadAndRemove(t, s, c, form, i, pictures, removed)
	}
	srv.Kill()
	if !srv.Killed() {
		t.Error("not killed")
	}
	if a := c.Remove(ctx, client.GRPC, client.Bearer(s.Manager()), s.People()[1].ID); a.Err == nil {
		t.Errorf("a dead server answers %v", a)
	}

	wantOnRecord(t, s, removed)
	if _, err := s.Start(ctx, "AVATARD_LOG_LEVEL=nonsense"); !errors.Is(err, ErrEnded) {
		t.Errorf("start that fails = %v, want ErrEnded", err)
	}
	again, err := s.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Stop(); err != nil {
		t.Errorf("stop = %v\n%s", err, again.Log())
	}
}

// uploadAndRemove takes two people through upload, read and delete in one form, the i-th, and adds the receipts to removed.
func uploadAndRemove(t *testing.T, s *Testbed, c *client.Client, form client.Form, i int, pictures *PictureSet, removed map[string]string) {
	t.Helper()
	ctx := t.Context()
	alice, bob := s.People()[0], s.People()[1]
	if a := c.UploadOwn(ctx, client.Bearer(alice.Token), pictures.All[2*i].Upload); !a.Acknowledged() {
		t.Fatalf("own upload: %v", a)
	}
	if a := c.Upload(ctx, client.Bearer(s.Manager()), bob.ID, pictures.All[2*i+1].Upload); !a.Acknowledged() {
		t.Fatalf("upload: %v", a)
	}
	for who, r := range map[int]client.Read{2 * i: c.ReadOwn(ctx, client.Bearer(alice.Token), ""), 2*i + 1: c.Read(ctx, Organization, bob.ID, "")} {
		if n, ok := pictures.Number(r.Data); r.Status != 200 || n != who || !ok {
			t.Fatalf("read = %d %v, picture %d, want %d", r.Status, r.Err, n, who)
		}
	}
	etag := c.Read(ctx, Organization, alice.ID, "").ETag
	if r := c.Read(ctx, Organization, alice.ID, etag); r.Status != 304 {
		t.Errorf("read with the entity tag = %d, want 304", r.Status)
	}
	first, second := c.RemoveOwn(ctx, form, client.Bearer(alice.Token)), c.Remove(ctx, form, client.Bearer(s.Manager()), bob.ID)
	if !first.Acknowledged() || !second.Acknowledged() || first.Receipt() == "" || second.Receipt() == "" {
		t.Fatalf("%s: removed = %v; %v", form, first, second)
	}
	if want := uint64(2*i + 3); first.Sequence() != want || second.Sequence() != want { // registered, and an upload and a delete each time
		t.Errorf("%s: sequence = %d; %d, want %d", form, first.Sequence(), second.Sequence(), want)
	}
	if got := (client.Read{ETag: etag}).Generation(); got != first.Receipt() {
		t.Errorf("the tag names %q, the receipt %q", got, first.Receipt())
	}
	removed[first.Receipt()], removed[second.Receipt()] = alice.ID, bob.ID
	if r := c.Read(ctx, Organization, alice.ID, etag); r.Status != 404 {
		t.Errorf("read of a deleted picture = %d, want 404", r.Status)
	}
	if a := c.Remove(ctx, form, client.Bearer(alice.Token), bob.ID); a.Err != nil || a.Code != connect.CodeNotFound {
		t.Errorf("%s: alice, who has no role, deletes bob's = %v, want not found", form, a)
	}
}

// wantOnRecord demands that the database has the receipts of removed and no others, and that a look at it changes no file.
func wantOnRecord(t *testing.T, s *Testbed, removed map[string]string) {
	t.Helper()
	before := snapshot(t, s.Data())
	m, err := s.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Receipts(0, func(r Receipt) {
		if removed[r.Generation] != r.User {
			t.Errorf("%+v was given to %q", r, removed[r.Generation])
		}
		delete(removed, r.Generation)
	}); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if len(removed) != 0 {
		t.Errorf("not on record: %v", removed)
	}
	if after := snapshot(t, s.Data()); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Error("looking at the database has changed the directory")
	}
}

func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}
