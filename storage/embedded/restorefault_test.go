package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// Whatever write, truncation, sync or read of a restore fails, before it is done, after it or halfway, once or from then on: it
// says so and leaves nothing, or all is well; and the next one succeeds.
func TestRestoreEveryFault(t *testing.T) {
	full, receipts := littleBackup(t)
	files := backup.RestoreOptions{Backup: writeTemp(t, full), Receipts: []string{writeTemp(t, receipts)}}
	for _, kind := range []struct {
		name    string
		mode    faultMode
		forever bool
		reads   bool
		every   int // one place in so many: each of a kind is much like the next
		stream  bool
	}{
		{"before", failBefore, false, true, 1, false},
		{"after", failAfter, false, false, 3, false},
		{"torn", failTorn, false, false, 3, false},
		{"from then on", failBefore, true, false, 3, false},
		{"of a stream", failBefore, false, true, 5, true},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			for call := 1; ; call += kind.every {
				opt := files
				if kind.stream {
					opt.Backup, opt.Stream = backup.StreamName, bytes.NewReader(full)
				}
				reached, dir := false, t.TempDir()
				f := &faults{mode: kind.mode, reads: kind.reads, fail: func(n int, _, _ string) bool {
					reached = reached || n == call
					return n == call || kind.forever && n > call
				}}
				_, err := backup.Restore(context.Background(), At(Config{Dir: dir, WrapFile: f.wrap}), opt)
				if !reached {
					if call < 20 {
						t.Errorf("only %d calls: the files are not watched", call-1)
					}
					return
				}
				if err != nil {
					wantOnlyLock(t, dir)
					if _, err = backup.Restore(context.Background(), At(Config{Dir: dir}), files); err != nil {
						t.Fatalf("call %d: Restore then = %v", call, err)
					}
				}
				wantLittle(t, dir, fmt.Sprint("call ", call))
			}
		})
	}
}

// wantLittle demands the store of littleBackup, both files restored.
func wantLittle(t *testing.T, dir, when string) {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		t.Fatalf("%s: Open = %v", when, err)
	}
	defer s.Close()
	if err := s.Ready(context.Background()); err != nil {
		t.Errorf("%s: Ready = %v", when, err)
	}
	for i, there := range map[int]bool{0: false, 1: false, 2: false, 3: true, 9: false} {
		if _, err := s.Get(context.Background(), testKey(i), testOrg); (err == nil) != there {
			t.Errorf("%s: Get(%d) = %v", when, i, err)
		}
	}
	if n := count(t, s, `SELECT count(*) FROM receipt`); n != 5 {
		t.Errorf("%s: %d receipts, want 5", when, n)
	}
}

// unsynced remembers which files were written and not synced since.
type unsynced struct {
	File
	name  string
	dirty map[string]bool
}

func (f unsynced) WriteAt(p []byte, off int64) (int, error) {
	f.dirty[f.name] = true
	return f.File.WriteAt(p, off)
}
func (f unsynced) Truncate(size int64) error { f.dirty[f.name] = true; return f.File.Truncate(size) }
func (f unsynced) Sync() error               { f.dirty[f.name] = false; return f.File.Sync() }

// Files are durable before they are moved to their place: after a loss of power no name has half of its content.
func TestRestoreIsDurableBeforeItCounts(t *testing.T) {
	full, receipts := littleBackup(t)
	opt := backup.RestoreOptions{Backup: writeTemp(t, full), Receipts: []string{writeTemp(t, receipts)}}
	dirty, looked := make(map[string]bool), false
	cfg := Config{Dir: t.TempDir(), WrapFile: func(name string, f File) File { return unsynced{f, name, dirty} }}
	_, err := backup.Restore(context.Background(), &Place{cfg: cfg, after: func(step string) {
		if step != "built" {
			return
		}
		looked = true
		for _, name := range []string{slabName, databaseName} {
			if is, known := dirty[name]; is || !known {
				t.Errorf("%s is not synced (written: %v)", name, known)
			}
		}
	}}, opt)
	if err != nil || !looked {
		t.Fatalf("Restore = %v, looked: %v", err, looked)
	}
}

// killRestore is the process that is killed in the middle of a restore: before a file operation, or, behind the last one,
// after a step of putting things in their place.
func killRestore(dir, names string, k *killer) error {
	full, receipts, _ := strings.Cut(names, " ")
	opt := backup.RestoreOptions{Backup: full, Receipts: filesOf(receipts)}
	_, err := backup.Restore(context.Background(), &Place{cfg: Config{Dir: dir, WrapFile: k.wrap}, after: func(string) { k.step() }}, opt)
	if err != nil {
		return err
	}
	fmt.Println("operations", k.seen.Load())
	return nil
}

// A process that is killed anywhere in a restore leaves a directory that does not serve anything and into which the next
// restore succeeds, or one that serves everything.
func TestKilledInARestore(t *testing.T) {
	full, receipts := littleBackup(t)
	opt := backup.RestoreOptions{Backup: writeTemp(t, full), Receipts: []string{writeTemp(t, receipts)}}
	job := "restore " + opt.Backup + " " + opt.Receipts[0]
	_, operations := runKilled(t, t.TempDir(), job, 0)
	if operations < 20 {
		t.Fatalf("%d operations: the files are not watched", operations)
	}
	whole := 0
	for at := 1; at <= operations; at++ {
		if operations-at > 20 && at%4 > 0 {
			continue // the end, where things are put in their place, is looked at closely
		}
		dir := t.TempDir()
		if _, survived := runKilled(t, dir, job, at); survived > 0 {
			t.Fatalf("not killed at %d", at)
		}
		when := fmt.Sprintf("killed at %d of %d", at, operations)
		s, err := Open(context.Background(), Config{Dir: dir})
		if err == nil {
			whole++
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			wantLittle(t, dir, when)
			if exists(filepath.Join(dir, restoreName)) {
				t.Errorf("%s: the rest of the restore is still there", when)
			}
			continue
		}
		if !errors.Is(err, storage.ErrHalfRestored) || !strings.Contains(err.Error(), "run it again") {
			t.Fatalf("%s: Open = %v, want %v", when, err, storage.ErrHalfRestored)
		}
		if exists(filepath.Join(dir, databaseName)) {
			t.Errorf("%s: there is a database in what cannot be opened", when)
		}
		if at%12 == 0 { // and once more, while the next one tidies up
			runKilled(t, dir, job, 1+at%operations)
		}
		if !exists(filepath.Join(dir, databaseName)) {
			if _, err := backup.Restore(context.Background(), At(Config{Dir: dir}), opt); err != nil {
				t.Fatalf("%s: Restore then = %v", when, err)
			}
		}
		wantLittle(t, dir, when)
	}
	if whole == 0 || whole > operations/2 {
		t.Errorf("%d of %d were whole", whole, operations)
	}
}

// Between moving the slab and moving the database there is a slab without a database, which must not be taken for a user's store.
func TestHalfRestoredSlabIsReplaced(t *testing.T) {
	full, _ := littleBackup(t)
	opt := backup.RestoreOptions{Backup: writeTemp(t, full)}
	dir := t.TempDir()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the slab was not moved")
			}
		}()
		_, _ = backup.Restore(context.Background(), &Place{cfg: Config{Dir: dir}, after: func(step string) {
			if step == "moved "+slabName {
				panic(step)
			}
		}}, opt)
	}()
	if !exists(filepath.Join(dir, slabName)) {
		t.Fatal("there is no slab")
	}
	if _, err := Open(context.Background(), Config{Dir: dir}); !errors.Is(err, storage.ErrHalfRestored) {
		t.Errorf("Open = %v, want %v", err, storage.ErrHalfRestored)
	}
	if err := os.Remove(filepath.Join(dir, databaseName)); err == nil {
		t.Error("Open has made a database")
	}
	restoreInto := func() error {
		_, err := backup.Restore(context.Background(), At(Config{Dir: dir}), opt)
		return err
	}
	if err := restoreInto(); err != nil {
		t.Fatal(err)
	}
	if err := restoreInto(); !errors.Is(err, storage.ErrStoreExists) {
		t.Errorf("Restore over what was restored = %v, want %v", err, storage.ErrStoreExists)
	}
}

// saveOnAFullDisk is a process that may write no file longer than 4 KiB. What it is told then is what a full disk says
// but for the number.
func saveOnAFullDisk(dir, stream string) error {
	limit := syscall.Rlimit{Cur: 4096, Max: 4096}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	f, err := os.Open(stream)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = backup.Save(filepath.Join(dir, "file"), false, f, nil)
	if !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("Save = %w, want %w", err, syscall.EFBIG)
	}
	fmt.Println("operations 1")
	return nil
}

func TestSaveBackupOnAFullDisk(t *testing.T) {
	full, _ := littleBackup(t)
	dir := t.TempDir()
	runKilled(t, dir, "save "+writeTemp(t, full), 0)
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("%v was left, %v", names, err)
	}
}
