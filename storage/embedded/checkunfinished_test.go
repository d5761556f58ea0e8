package embedded

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// kill leaves a copy of a store's files as they are now, as a killed process does.
func kill(t *testing.T, dir string) *damaged {
	t.Helper()
	d := &damaged{t: t, dir: filepath.Join(t.TempDir(), "copy")}
	if err := os.CopyFS(d.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return d
}

// An erasure that a killed process left unfinished is found, is not changed by a check, and is finished by a repair, which says so.
func TestCheckAfterKill(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 5000)
	mustPut(t, s, 2, 300)
	mustRemove(t, s, 1)
	killed := kill(t, dir) // the erasure is done and not on record
	want := []storage.FindingKind{storage.ErasureUnfinished}
	for range 2 {
		if got := kinds(killed.checkDir(false)); !cmp.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
	}
	repaired := killed.checkDir(true)
	if got := kinds(repaired); !cmp.Equal(got, want) || !repaired[0].Repaired {
		t.Errorf("the repair found %v, want %v, repaired", repaired, want)
	}
	if got := killed.checkDir(false); len(got) > 0 {
		t.Errorf("after the repair: %v", got)
	}
	if got, err := openTest(t, killed.dir).Get(t.Context(), testKey(2), testOrg); err != nil || len(got.Data) != 300 {
		t.Errorf("Get = %d bytes, %v", len(got.Data), err)
	}
}

// An upload that a killed process had begun, likewise. Its user has the picture from before.
func TestCheckAfterKilledUpload(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 5000)
	killed := kill(t, dir)
	killed.open()
	slot := killed.slot(1) + 6
	killed.sql(`INSERT INTO generation SELECT %d, randomblob(16), uid, 1, size, format, NULL FROM generation`, slot)
	killed.write(slot*slab.PageBytes, []byte("half a picture"))
	if err := killed.conn.Close(); err != nil {
		t.Fatal(err)
	}
	want := []storage.FindingKind{storage.UploadUnfinished}
	if got := kinds(killed.checkDir(false)); !cmp.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if got := killed.checkDir(true); !cmp.Equal(kinds(got), want) || !got[0].Repaired {
		t.Errorf("the repair found %v, want %v, repaired", got, want)
	}
	if got := killed.checkDir(false); len(got) > 0 {
		t.Errorf("after the repair: %v", got)
	}
	if got, err := openTest(t, killed.dir).Get(t.Context(), testKey(1), testOrg); err != nil || len(got.Data) != 5000 {
		t.Errorf("Get = %d bytes, %v", len(got.Data), err)
	}
}

// A server that cannot finish an upload or an erasure is told so, and a repair finishes it as soon as it can be.
func TestCheckStuck(t *testing.T) {
	for _, tt := range []struct {
		title string
		fail  func(name, op string) bool
		do    func(s *Store) error
		want  storage.FindingKind
	}{
		{"an erasure", func(name, op string) bool { return name == slabName && op == "sync" },
			func(s *Store) error { _, err := s.Remove(context.Background(), removal(1)); return err }, storage.ErasureUnfinished},
		{"an upload", nil, func(s *Store) error { _, err := s.Put(context.Background(), upload(1, 300)); return err }, storage.UploadUnfinished},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { // no sweep comes by: time stands still
				f := &faults{}
				s, err := Open(context.Background(), Config{Dir: dir, WrapFile: f.wrap})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				mustPut(t, s, 1, 5000)
				mustPut(t, s, 2, 400)
				reserved := false
				f.set(func(_ int, name, op string) bool {
					if tt.fail != nil {
						return tt.fail(name, op)
					}
					// All but the first transaction, which reserves the slot.
					failed := reserved
					reserved = reserved || name == databaseName+"-wal" && op == "sync"
					return failed
				})
				if err := tt.do(s); !errors.Is(err, storage.ErrUnavailable) {
					t.Fatalf("%v, want %v", err, storage.ErrUnavailable)
				}
				f.set(nil)
				if tt.fail != nil {
					f.set(func(_ int, name, op string) bool { return tt.fail(name, op) })
				}
				all := checkStore(t, s, false)
				if !cmp.Equal(kinds(all), []storage.FindingKind{tt.want}) || !strings.Contains(all[0].Detail, "tried and failed") {
					t.Errorf("found %+v, want %v", all, tt.want)
				}
				wantRepair(t, s, f, tt.fail != nil)
				if _, err := s.Remove(context.Background(), removal(1)); err != nil {
					t.Errorf("Remove = %v", err)
				}
				if got, err := s.Get(context.Background(), testKey(2), testOrg); err != nil || len(got.Data) != 400 {
					t.Errorf("Get of another = %d bytes, %v", len(got.Data), err)
				}
			})
		})
	}
}

// wantRepair demands that a repair fails while the disk does, and finishes the one thing that is stuck once the disk works.
func wantRepair(t *testing.T, s *Store, f *faults, fails bool) {
	t.Helper()
	if fails {
		if all := checkStore(t, s, true); len(all) != 1 || all[0].Repaired || !strings.HasPrefix(all[0].Repair, "failed") {
			t.Errorf("found %+v, want a repair that failed", all)
		}
	}
	f.set(nil)
	if all := checkStore(t, s, true); len(all) != 1 || !all[0].Repaired {
		t.Errorf("found %+v, want it repaired", all)
	}
	wantClean(t, s)
}

// A row says that an upload is on its way, and the committer has no such upload.
func TestCheckUploadWithoutWork(t *testing.T) {
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 5000)
	s.db.mu.Lock()
	err := s.db.conn.Exec(`INSERT INTO generation SELECT slot + 6, randomblob(16), uid, 1, size, format, NULL FROM generation`)
	s.db.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	all := checkStore(t, s, false)
	if !cmp.Equal(kinds(all), []storage.FindingKind{storage.UploadUnfinished}) || !strings.Contains(all[0].Detail, notMoved) {
		t.Errorf("found %+v, want %v: %s", all, storage.UploadUnfinished, notMoved)
	}
}

// A repair that the disk did not take is told as one that failed, and is not tried again by the same check.
func TestRepairThatFails(t *testing.T) {
	f := &faults{}
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir, WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 5000)
	d := &damaged{t: t, dir: dir}
	d.write(12*slab.PageBytes, []byte("left"))
	failed := 0
	f.set(func(_ int, name, op string) bool {
		if name != slabName || op != "sync" || failed > 0 {
			return false
		}
		failed++
		return true
	})
	all := checkStore(t, s, true)
	if len(all) != 1 || all[0].Kind != storage.OrphanedBytes || all[0].Repaired || !strings.HasPrefix(all[0].Repair, "failed") || failed != 1 {
		t.Errorf("found %+v after %d failures, want orphaned bytes whose repair failed", all, failed)
	}
}

// A repair changes nothing when its finding has changed by the time of the write: each repair is for the row that it was found with.
func TestRepairOfWhatHasChanged(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 5000)
	c := &checker{s: s, live: true, opt: storage.CheckOptions{Repair: true, By: testBy}}
	rows := func() (all []slotRow) {
		t.Helper()
		err := c.read(ctx, func(db *database) (err error) {
			all, err = db.slotRows(1, 1000)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	living := rows()[0]
	reg, err := c.regionOf(ctx, living.slot)
	if err != nil {
		t.Fatal(err)
	}
	mustRemove(t, s, 1)
	mustRemove(t, s, 1) // puts it on record
	erased := rows()[0]
	mustPut(t, s, 2, 5000)
	now := rows()[0]
	if now.slot != living.slot || now.id == living.id || !erased.recorded {
		t.Fatalf("the slot was not reused: %+v, %+v", living, now)
	}
	whole := now
	for title, repair := range map[string]func(context.Context) (string, error){
		"orphaned bytes":               c.scrubSlot(reg, erased, judgement{what: orphan}),
		"orphaned bytes, never owned":  c.scrubSlot(reg, slotRow{slot: now.slot}, judgement{what: orphan}),
		"bytes behind a picture":       c.scrubSlot(reg, living, judgement{what: slack}),
		"bytes outside":                c.scrubOutside(now.slot, slab.PageBytes),
		"a missing picture, another's": c.forget(living),
		"a missing picture, whole":     c.forget(whole),
		"an upload":                    c.finish(reg, slotRow{slot: now.slot, id: living.id, uid: living.uid, state: stateUploading, size: 5000}),
		"an erasure":                   c.finish(reg, slotRow{slot: now.slot, id: living.id, uid: living.uid, state: stateErasing, size: 5000, receipt: 1}),
		"what the file has too much":   c.cut(s.slots.End - 1),
	} {
		if did, err := repair(ctx); !errors.Is(err, errMoved) {
			t.Errorf("%s: %q, %v, want %v", title, did, err, errMoved)
		}
	}
	want := upload(2, 5000)
	if got, err := s.Get(ctx, want.User, testOrg); err != nil || !bytes.Equal(got.Data, want.Picture.Data) {
		t.Errorf("Get = %d bytes, %v after repairs of what was there before", len(got.Data), err)
	}
	if after := rows(); !slices.Equal(after, []slotRow{now}) {
		t.Errorf("rows %+v, want %+v", after, now)
	}
	wantClean(t, s)
}
