package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// Files that a start refuses: a check says what is wrong with them, and a repair leaves them as they are.
func TestCheckDirThatDoesNotOpen(t *testing.T) {
	for _, tt := range []struct {
		title  string
		spoil  func(d *damaged)
		want   []storage.FindingKind
		repair string // what its error says
	}{
		{"a slab that was cut", func(d *damaged) { d.truncate((d.slot(1) + 1) * slab.PageBytes) },
			[]storage.FindingKind{storage.PictureMissing, SlabLength}, "the database knows of"},
		{"no slab", func(d *damaged) { remove1(d.t, filepath.Join(d.dir, slabName)) },
			[]storage.FindingKind{storage.PictureMissing, SlabHeader, SlabLength}, "pictures.slab is missing"},
		{"a slab of another store", func(d *damaged) { d.write(8, []byte("another store")) },
			[]storage.FindingKind{SlabHeader}, "of two stores"},
		{"a watermark above all receipts", func(d *damaged) { d.sql(`UPDATE store SET watermark = 100`) },
			[]storage.FindingKind{storage.MetadataContradicts}, ""},
	} {
		t.Run(tt.title, func(t *testing.T) {
			d := newDamaged(t)
			tt.spoil(d)
			if err := d.conn.Close(); err != nil {
				t.Fatal(err)
			}
			before := d.files()
			var got []storage.FindingKind
			for _, f := range d.checkDir(false) {
				if len(got) == 0 || got[len(got)-1] != f.Kind {
					got = append(got, f.Kind)
				}
			}
			if set := kindSet(got); !cmp.Equal(set, kindSet(tt.want)) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
			if !cmp.Equal(before, d.files()) {
				t.Error("looking has changed something")
			}
			_, err := CheckDir(t.Context(), Config{Dir: d.dir}, storage.CheckOptions{Repair: true}, func(storage.Finding) error { return nil })
			if tt.repair != "" && (err == nil || !strings.Contains(err.Error(), tt.repair)) {
				t.Errorf("repair = %v, want an error with %q", err, tt.repair)
			}
		})
	}
}

func kindSet(all []storage.FindingKind) map[storage.FindingKind]bool {
	set := make(map[storage.FindingKind]bool)
	for _, k := range all {
		set[k] = true
	}
	return set
}

// Without a server SQLite looks at its own file.
func TestCheckDirDamagedDatabase(t *testing.T) {
	d := newDamaged(t)
	d.sql(`PRAGMA wal_checkpoint(TRUNCATE)`)
	page := d.number(`SELECT rootpage FROM sqlite_schema WHERE name = 'audit'`)
	if err := d.conn.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(d.dir, databaseName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("no page of SQLite"), (page-1)*4096); err != nil {
		t.Fatal(err)
	}
	got := d.checkDir(false)
	if len(got) == 0 || got[0].Kind != storage.DatabaseDamaged {
		t.Errorf("found %+v, want %v", got, storage.DatabaseDamaged)
	}
}

func TestCheckDirRefuses(t *testing.T) {
	for _, repair := range []bool{false, true} {
		check := func(dir string) error {
			_, err := CheckDir(t.Context(), Config{Dir: dir}, storage.CheckOptions{Repair: repair}, func(storage.Finding) error { return nil })
			return err
		}
		dir := t.TempDir()
		s := openTest(t, dir)
		if err := check(dir); !errors.Is(err, storage.ErrInUse) {
			t.Errorf("repair %v: CheckDir of a store that is open = %v, want %v", repair, err, storage.ErrInUse)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		editData(t, dir, "PRAGMA user_version = 99")
		if err := check(dir); !errors.Is(err, storage.ErrNewerSchema) {
			t.Errorf("repair %v: CheckDir of newer data = %v, want %v", repair, err, storage.ErrNewerSchema)
		}
		empty := filepath.Join(t.TempDir(), "none")
		if err := check(empty); !errors.Is(err, storage.ErrNoStore) {
			t.Errorf("repair %v: CheckDir of no directory = %v, want %v", repair, err, storage.ErrNoStore)
		}
		if _, err := os.Stat(empty); err == nil {
			t.Errorf("repair %v: the directory was made", repair)
		}
	}
	dir := t.TempDir()
	editData(t, dir, "") // as a start that was cut short leaves it
	if err := os.WriteFile(filepath.Join(dir, databaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := CheckDir(t.Context(), Config{Dir: dir}, storage.CheckOptions{}, nil)
	if err == nil || !strings.Contains(err.Error(), "avatard migrate") {
		t.Errorf("CheckDir of an empty database = %v, want a hint at migrate", err)
	}
}

// A first start that was killed before the slab had its first page is nothing to report: the next one makes the file anew.
func TestCheckDirAfterFirstStartWasKilled(t *testing.T) {
	for _, size := range []int64{-1, 0, 100, slab.PageBytes} {
		dir := t.TempDir()
		if err := openTest(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, slabName)
		remove1(t, path)
		if size >= 0 {
			if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d := &damaged{t: t, dir: dir}
		for _, repair := range []bool{false, true, false} {
			for _, f := range d.checkDir(repair) {
				t.Errorf("slab of %d bytes, repair %v: found %+v", size, repair, f)
			}
		}
	}
}

// One check at a time; one that is given up, by its caller or by the store's end, says so and finds nothing.
func TestCheckEndsEarly(t *testing.T) {
	s := openTest(t, t.TempDir())
	each(8, 20, func(i int) { mustPut(t, s, i, 5000) })
	never := func(f storage.Finding) error { t.Errorf("found %+v", f); return nil }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := 0
	_, err := s.Check(ctx, storage.CheckOptions{Progress: func(int64, int64) {
		if calls++; calls == 1 {
			if _, err := s.Check(ctx, storage.CheckOptions{}, never); !errors.Is(err, storage.ErrChecking) {
				t.Errorf("a second Check = %v, want %v", err, storage.ErrChecking)
			}
			cancel()
		}
	}}, never)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Check = %v, want %v", err, context.Canceled)
	}
	closed := false
	_, err = s.Check(t.Context(), storage.CheckOptions{Progress: func(int64, int64) {
		if !closed {
			closed = true
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}}, never)
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Check of a store that was closed = %v, want %v", err, storage.ErrUnavailable)
	}
}

// The memory of a check depends on how it reads, not on the size of the store.
func TestCheckMemory(t *testing.T) {
	most := func(users int) (rows, bytes int) {
		s := openTest(t, t.TempDir())
		each(128, users, func(i int) { mustPut(t, s, i, 1+i%9000) })
		each(128, users, func(i int) { mustPut(t, s, i, 1+i%300) })
		c := &checker{s: s, live: true, found: func(f storage.Finding) error { t.Errorf("found %+v", f); return nil }}
		if err := c.run(t.Context()); err != nil {
			t.Error(err)
		}
		if c.sum.Pictures != int64(users) || c.sum.Users != int64(users) || c.sum.Receipts != int64(users) {
			t.Errorf("%d users: looked at %+v", users, c.sum)
		}
		if c.held != 0 {
			t.Errorf("%d users: %d rows are still counted as held", users, c.held)
		}
		return c.most, cap(c.buf)
	}
	const bound = 2 * checkRows
	fewRows, fewBytes := most(200)
	manyRows, manyBytes := most(1500)
	t.Logf("200 users: %d rows, %d bytes; 1500 users: %d rows, %d bytes", fewRows, fewBytes, manyRows, manyBytes)
	if fewRows == 0 || manyRows > bound || manyRows > fewRows+fewRows/2 || manyBytes != fewBytes {
		t.Errorf("1500 users: %d rows and %d bytes in memory, with 200 users %d and %d, bound %d rows", manyRows, manyBytes, fewRows, fewBytes, bound)
	}
}

// A user with a long history: the receipts are walked in pages, a second receipt of one generation is found far away.
func TestCheckLongChain(t *testing.T) {
	d := newDamaged(t)
	d.sql(`WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
		INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT i, %[1]d, randomblob(16), 5, 1, CASE i WHEN 100 THEN (SELECT receipt FROM user WHERE uid = %[1]d) ELSE i - 1 END, 1 FROM n;
		UPDATE user SET receipt = 5000 WHERE uid = %[1]d; UPDATE store SET watermark = 5000`, d.uid(3))
	check := func(want ...storage.FindingKind) {
		t.Helper()
		if err := d.conn.Close(); err != nil {
			t.Fatal(err)
		}
		if got := kinds(d.checkDir(false)); !cmp.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
		d.open()
	}
	check()
	d.sql(`UPDATE receipt SET generation = (SELECT generation FROM receipt WHERE seq = 4900) WHERE seq = 150`)
	check(storage.MetadataContradicts)
	d.sql(`DELETE FROM receipt WHERE seq = 1000`)
	check(storage.MetadataContradicts, storage.MetadataContradicts)
}
