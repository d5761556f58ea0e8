package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
	"example.org/avatard/storage/embedded/internal/datadir"
)

// The bytes before and behind records, see docs/backup.md.
const (
	backupHeadBytes = 12
	recordHeadBytes = 5
	recordSumBytes  = 4
)

// littleBackup returns the bytes of a backup with some of everything, and of the receipts of a little later.
func littleBackup(t testing.TB) (full, receipts []byte) {
	t.Helper()
	s := openTest(t, t.TempDir())
	for i := range 4 {
		mustPut(t, s, i, 150)
	}
	mustPut(t, s, 0, 5000)
	mustRemove(t, s, 1)
	full = backupBytes(t, s, storage.ExportOptions{})
	mustRemove(t, s, 0)
	mustPut(t, s, 2, 160)
	mustPut(t, s, 9, 170) // a new user, erased at once
	mustRemove(t, s, 9)
	return full, backupBytes(t, s, storage.ExportOptions{ReceiptsOnly: true})
}

func backupBytes(t testing.TB, s *Store, opt storage.ExportOptions) []byte {
	t.Helper()
	var buf bytes.Buffer
	if _, err := backup.Write(context.Background(), s, &buf, opt); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func writeTemp(t testing.TB, data []byte) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A newer file of receipts keeps back what it names, and tells how far those users have come.
func TestRestoreWithNewerReceipts(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, t.TempDir())
	fillStore(t, s)
	name, sum := saveTest(t, s, storage.ExportOptions{})
	kept := contents(t, s)
	mustRemove(t, s, 2)
	mustPut(t, s, 3, 4000)
	mustPut(t, s, 4, 4000)
	mustRemove(t, s, 4)
	mustPut(t, s, 77, 300) // a new user
	mustRemove(t, s, 77)
	mustPut(t, s, 78, 300) // and a new user without a receipt
	later, receipts := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	now := contents(t, s)
	if receipts.Pictures != 0 || receipts.Audit != 0 || receipts.Receipts != int64(len(now["receipt"])) {
		t.Errorf("Backup = %+v, want %d receipts and nothing of pictures", receipts, len(now["receipt"]))
	}

	dir, restored := restoreTest(t, name, later)
	if restored.Erased != 3 || restored.Pictures != sum.Pictures-3 || !restored.KnownUntil().Equal(receipts.Ended) ||
		!restored.NewestReceipt.Equal(time.UnixMicro(newestReceipt(t, s)).UTC()) {
		t.Errorf("Restore = %+v, want 3 erased of %d", restored, sum.Pictures)
	}
	again := openTest(t, dir)
	wantClean(t, again)
	got := contents(t, again)
	if diff := cmp.Diff(now["receipt"], got["receipt"]); diff != "" {
		t.Errorf("receipts (-as they are +restored):\n%s", diff)
	}
	if diff := cmp.Diff(kept["audit"], got["audit"]); diff != "" {
		t.Errorf("audit trail (-backed up +restored):\n%s", diff)
	}
	for _, i := range []int{2, 3, 4, 77} {
		want, _, werr := s.AddUser(ctx, testKey(i), testOrg, testBy)
		res, created, err := again.AddUser(ctx, testKey(i), testOrg, testBy)
		if err != nil || werr != nil || created || res != want {
			t.Errorf("user %d is %+v (new: %v), %v, want %+v", i, res, created, err, want)
		}
		if _, err := again.Get(ctx, testKey(i), testOrg); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("Get(%d) = %v, want %v", i, err, storage.ErrNoPicture)
		}
		if after, err := again.Remove(ctx, removal(i)); err != nil || after != want {
			t.Errorf("Remove(%d) = %+v, %v, want %+v: there is nothing to remove", i, after, err, want)
		}
	}
	if _, err := again.Get(ctx, testKey(78), testOrg); !errors.Is(err, storage.ErrUserNotFound) {
		t.Errorf("Get of a user of after the backup = %v", err)
	}
}

func newestReceipt(t *testing.T, s *Store) (micros int64) {
	t.Helper()
	return count(t, s, `SELECT max(time) FROM receipt`)
}

// A store that was restored without the newest receipts goes on by itself. The erasures of the lost store count all the same, whatever
// numbers its receipts had.
func TestRestoreOfTwoHistories(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, t.TempDir())
	for i := range 6 {
		mustPut(t, s, i, 500)
	}
	mustRemove(t, s, 5)
	first, _ := saveTest(t, s, storage.ExportOptions{})
	mustPut(t, s, 50, 500) // numbers of users and receipts part here
	mustRemove(t, s, 0)
	mustRemove(t, s, 50)
	lost, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})

	dir, _ := restoreTest(t, first, "")
	other := openTest(t, dir)
	if _, err := other.Get(ctx, testKey(0), testOrg); err != nil {
		t.Errorf("Get(0) = %v: without receipts what was deleted is back", err)
	}
	mustPut(t, other, 60, 500) // the same number as user 50
	mustRemove(t, other, 60)
	mustRemove(t, other, 1)
	second, _ := saveTest(t, other, storage.ExportOptions{})

	dir, restored := restoreTest(t, second, lost)
	last := openTest(t, dir)
	wantClean(t, last)
	if restored.Erased != 1 || restored.Receipts != 5 {
		t.Errorf("Restore = %+v, want user 0's picture kept back, and 5 receipts", restored)
	}
	for i, want := range map[int]error{0: storage.ErrNoPicture, 1: storage.ErrNoPicture, 2: nil, 50: storage.ErrNoPicture, 60: storage.ErrNoPicture} {
		if _, err := last.Get(ctx, testKey(i), testOrg); !errors.Is(err, want) {
			t.Errorf("Get(%d) = %v, want %v", i, err, want)
		}
	}
	for i, lines := range map[int]*Store{0: s, 50: s, 1: other, 60: other} {
		want, _, _ := lines.AddUser(ctx, testKey(i), testOrg, testBy)
		if got, _, err := last.AddUser(ctx, testKey(i), testOrg, testBy); err != nil || got != want {
			t.Errorf("user %d = %+v, %v, want %+v", i, got, err, want)
		}
	}
	if n := count(t, last, `SELECT max(seq) - count(*) FROM receipt`); n != 0 {
		t.Errorf("receipts have a gap of %d", n)
	}
	mustRemove(t, last, 2)
}

// A file that is cut off anywhere, or in which any byte is another, is refused, and what is left of the try serves nothing.
func TestRestoreOfADamagedFile(t *testing.T) {
	full, receipts := littleBackup(t)
	boundaries := map[int]bool{}
	for at := backupHeadBytes; at < len(full); {
		boundaries[at] = true
		at += recordHeadBytes + int(binary.BigEndian.Uint32(full[at+1:])) + recordSumBytes
	}
	if len(boundaries) < 15 {
		t.Fatalf("%d records: the boundaries are not found", len(boundaries))
	}
	check := func(what string, at int, data []byte) {
		if _, err := backup.Check(bytes.NewReader(data)); !isBackupError(err) {
			t.Errorf("%s at byte %d: Check = %v", what, at, err)
		}
	}
	for _, whole := range [][]byte{full, receipts} {
		for at := range whole {
			check("cut", at, whole[:at])
			other := bytes.Clone(whole)
			other[at] ^= byte(1 + at%255)
			check("another byte", at, other)
		}
	}
	for at := range boundaries {
		end := at + recordHeadBytes + int(binary.BigEndian.Uint32(full[at+1:])) + recordSumBytes
		check("left out", at, slices.Concat(full[:at], full[end:]))
		check("doubled", at, slices.Concat(full[:end], full[at:]))
	}
	whole := writeTemp(t, full)
	try := func(what string, at int, full, receipts string) {
		dir := t.TempDir()
		_, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: filesOf(receipts)})
		if !isBackupError(err) {
			t.Errorf("%s at byte %d: Restore = %v", what, at, err)
		}
		wantOnlyLock(t, dir)
	}
	for at := range boundaries {
		try("cut", at, writeTemp(t, full[:at]), "")
		if at < len(receipts) {
			try("receipts cut", at, whole, writeTemp(t, receipts[:at]))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		at := random.IntN(len(full))
		try("cut", at, writeTemp(t, full[:at]), "")
		other := bytes.Clone(full)
		other[at] ^= 1 << random.IntN(8)
		try("another bit", at, writeTemp(t, other), "")
	}
}

func isBackupError(err error) bool {
	return errors.Is(err, storage.ErrExportDamaged) || errors.Is(err, backup.ErrNoBackup) || errors.Is(err, backup.ErrVersion)
}

// wantOnlyLock demands that nothing of a store is left but perhaps the file that was locked.
func wantOnlyLock(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, n := range names {
		if n.Name() != lockName {
			t.Errorf("%s was left", n.Name())
		}
	}
}

// refusedRestore is a restore that is refused.
type refusedRestore struct {
	title          string
	full, receipts []byte
	prepare        func(t *testing.T, dir string)
	want           error
	text           string
	keeps          string // a file that has to stay
}

func TestRestoreRefuses(t *testing.T) {
	for _, tt := range refusedRestores(t) {
		t.Run(tt.title, func(t *testing.T) {
			dir := t.TempDir()
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			before, _ := os.ReadFile(filepath.Join(dir, tt.keeps))
			opt := backup.RestoreOptions{Backup: writeTemp(t, tt.full)}
			if tt.receipts != nil {
				opt.Receipts = []string{writeTemp(t, tt.receipts)}
			}
			_, err := backup.Restore(t.Context(), At(Config{Dir: dir}), opt)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Restore = %v, want %v with %q", err, tt.want, tt.text)
			}
			if tt.keeps == "" {
				wantOnlyLock(t, dir)
			} else if after, _ := os.ReadFile(filepath.Join(dir, tt.keeps)); !bytes.Equal(before, after) {
				t.Errorf("%s was changed", tt.keeps)
			}
		})
	}
}

func refusedRestores(t *testing.T) []refusedRestore {
	t.Helper()
	full, receipts := littleBackup(t)
	otherBackup, otherReceipts := littleBackup(t)
	newer := bytes.Clone(full)
	newer[backupHeadBytes-1]++
	return []refusedRestore{
		{"another store's receipts", full, otherReceipts, nil, storage.ErrOtherStore, "", ""},
		{"another store's backup for receipts", full, otherBackup, nil, storage.ErrOtherStore, "", ""},
		{"receipts for a backup", receipts, nil, nil, nil, "holds receipts only", ""},
		{"a newer program's file", newer, nil, nil, backup.ErrVersion, "this program knows up to", ""},
		{"something else", []byte("#!/bin/sh"), nil, nil, backup.ErrNoBackup, "", ""},
		{"an empty file", []byte{}, nil, nil, backup.ErrNoBackup, "", ""},
		{"a store is there", full, receipts, func(t *testing.T, dir string) {
			s := openTest(t, dir)
			mustPut(t, s, 1, 100)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}, storage.ErrStoreExists, "empty directory", databaseName},
		{"a store is there and serves", full, receipts, func(t *testing.T, dir string) { openTest(t, dir) }, storage.ErrStoreExists, "", databaseName},
		{"a slab without its database", full, nil, func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, slabName), []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, storage.ErrStoreExists, "without its database", slabName},
		{"another process is at it", full, nil, func(t *testing.T, dir string) {
			lock, err := datadir.At(dir).Lock(lockName)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { lock.Release() })
		}, storage.ErrInUse, "", ""},
	}
}

// Paths at which there is no file to read, or no directory can be made.
func TestRestoreRefusesPaths(t *testing.T) {
	full, _ := littleBackup(t)
	if _, err := backup.Restore(t.Context(), At(Config{Dir: t.TempDir()}), backup.RestoreOptions{Backup: "/nowhere"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Restore of no file = %v", err)
	}
	if _, err := backup.Restore(t.Context(), At(Config{Dir: t.TempDir()}), backup.RestoreOptions{Backup: t.TempDir()}); err == nil {
		t.Error("Restore of a directory = nil")
	}
	if _, err := backup.Restore(t.Context(), At(Config{Dir: "/dev/null/data"}), backup.RestoreOptions{Backup: writeTemp(t, full)}); err == nil {
		t.Error("Restore into what can be no directory = nil")
	}
}
