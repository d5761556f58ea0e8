package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// damaged is a data directory that no process has open, and the means to spoil it.
type damaged struct {
	t    *testing.T
	dir  string
	conn *sqlite3.Conn
}

// newDamaged makes a store of users 1 to 5 whose pictures are: two pages long; short; erased; replaced; erased and put
// again. Whatever is done to them, user 9 keeps a picture that no repair may touch.
func newDamaged(t *testing.T) *damaged {
	t.Helper()
	d := &damaged{t: t, dir: filepath.Join(t.TempDir(), "data")}
	s, err := Open(context.Background(), Config{Dir: d.dir})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range map[int]int{1: 5000, 2: 100, 3: 200, 4: 300, 5: 400, 9: 6000} {
		mustPut(t, s, i, size)
	}
	mustRemove(t, s, 3)
	mustPut(t, s, 4, 9000)
	mustRemove(t, s, 5)
	mustPut(t, s, 5, 20000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.open()
	return d
}

// open connects to the metadata past all that guards it.
func (d *damaged) open() {
	d.t.Helper()
	var err error
	d.t.Cleanup(func() { d.conn.Close() })
	if d.conn, err = sqlite3.Open(filepath.Join(d.dir, databaseName)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.conn.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false); err != nil {
		d.t.Fatal(err)
	}
	d.sql("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
}

func (d *damaged) sql(format string, args ...any) {
	d.t.Helper()
	if err := d.conn.Exec(fmt.Sprintf(format, args...)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *damaged) number(format string, args ...any) int64 {
	d.t.Helper()
	db := &database{conn: d.conn}
	n, err := db.number(fmt.Sprintf(format, args...))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// uid returns the number of user i.
func (d *damaged) uid(i int) int64 { return d.number(`SELECT uid FROM user WHERE id = 'user-%d'`, i) }

// slot returns where the picture of a user lies, or lay last.
func (d *damaged) slot(i int) int64 {
	return d.number(`SELECT slot FROM generation WHERE uid = %d ORDER BY state`, d.uid(i))
}

func (d *damaged) write(off int64, data []byte) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.dir, slabName), os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, off); err != nil {
		d.t.Fatal(err)
	}
}

func (d *damaged) read(off, n int64) []byte {
	d.t.Helper()
	f, err := os.Open(filepath.Join(d.dir, slabName))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, n)
	if _, err := f.ReadAt(data, off); err != nil {
		d.t.Fatal(err)
	}
	return data
}

func (d *damaged) truncate(size int64) {
	d.t.Helper()
	if err := os.Truncate(filepath.Join(d.dir, slabName), size); err != nil {
		d.t.Fatal(err)
	}
}

// end is the page behind the last region.
func (d *damaged) end() int64 { return d.number(`SELECT max(first + slot_pages * slots) FROM region`) }

// checkDir checks the directory and returns kinds and findings.
func (d *damaged) checkDir(repair bool) []storage.Finding {
	d.t.Helper()
	var all []storage.Finding
	_, err := CheckDir(context.Background(), Config{Dir: d.dir}, storage.CheckOptions{Repair: repair, By: testBy}, func(f storage.Finding) error {
		all = append(all, f)
		return nil
	})
	if err != nil {
		d.t.Errorf("CheckDir = %v", err)
	}
	return all
}

func kinds(all []storage.Finding) []storage.FindingKind {
	var kinds []storage.FindingKind
	for _, f := range all {
		kinds = append(kinds, f.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// A store is spoilt in every way there is, in turn, and checked: without a server, beside one, and after a repair either way.
func TestCheckFinds(t *testing.T) {
	base := newDamaged(t)
	for _, sp := range spoilings {
		t.Run(sp.title, func(t *testing.T) {
			t.Parallel()
			d := &damaged{t: t, dir: filepath.Join(t.TempDir(), "data")}
			if err := os.CopyFS(d.dir, os.DirFS(base.dir)); err != nil {
				t.Fatal(err)
			}
			d.open()
			sp.spoil(d)
			if err := d.conn.Close(); err != nil {
				t.Fatal(err)
			}
			beside := &damaged{t: t, dir: filepath.Join(filepath.Dir(d.dir), "copy")}
			if err := os.CopyFS(beside.dir, os.DirFS(d.dir)); err != nil {
				t.Fatal(err)
			}
			want := slices.Sorted(slices.Values(sp.want))
			d.checkAlone(sp, want)
			beside.checkBeside(sp, want)
		})
	}
}

// checkAlone checks a spoilt store without a server, repairs it, and looks at what it keeps.
func (d *damaged) checkAlone(sp spoiling, want []storage.FindingKind) {
	d.t.Helper()
	// SQLite finds rows that refer to nothing, too.
	own := func(all []storage.Finding) []storage.FindingKind {
		return kinds(slices.DeleteFunc(all, func(f storage.Finding) bool {
			return f.Kind == storage.DatabaseDamaged || strings.Contains(f.Detail, "refers to a row of table")
		}))
	}
	before := d.files()
	all := d.checkDir(false)
	if says := func(f storage.Finding) bool { return strings.Contains(f.Detail, sp.says) }; len(want) > 0 && !slices.ContainsFunc(all, says) {
		d.t.Errorf("found %+v, want one that says %q", all, sp.says)
	}
	for _, f := range all {
		if f.Kind == storage.MetadataContradicts && !strings.HasSuffix(f.Detail, "; restore a backup") {
			d.t.Errorf("found %+v, want it to say what to do", f)
		}
	}
	if got := own(all); !cmp.Equal(got, want) {
		d.t.Errorf("found %v, want %v", got, want)
	}
	if !cmp.Equal(before, d.files()) {
		d.t.Error("looking has changed something")
	}
	d.checkRepair(own(d.checkDir(true)), want, func() []storage.FindingKind { return own(d.checkDir(false)) }, sp.stays)
	d.checkKept(openTest(d.t, d.dir), sp.lost)
}

// checkBeside does the same beside a server, and uses the store when it is repaired.
func (d *damaged) checkBeside(sp spoiling, want []storage.FindingKind) {
	d.t.Helper()
	s := openTest(d.t, d.dir)
	if got := kinds(checkStore(d.t, s, false)); !cmp.Equal(got, want) {
		d.t.Errorf("beside a server: found %v, want %v", got, want)
	}
	d.checkKept(s, sp.lost)
	d.checkRepair(kinds(checkStore(d.t, s, true)), want, func() []storage.FindingKind { return kinds(checkStore(d.t, s, false)) }, sp.stays)
	d.checkKept(s, sp.lost)
	if len(sp.stays) == 0 {
		d.checkWorks(s)
	}
}

func (d *damaged) checkRepair(got, want []storage.FindingKind, again func() []storage.FindingKind, stays []storage.FindingKind) {
	d.t.Helper()
	// One repair may put right what would be found later on.
	other := slices.ContainsFunc(got, func(k storage.FindingKind) bool { return !slices.Contains(want, k) })
	if other || (len(got) == 0) != (len(want) == 0) {
		d.t.Errorf("the repair found %v, want %v", got, want)
	}
	if left := again(); !cmp.Equal(left, stays) {
		d.t.Errorf("after the repair: %v, want %v", left, stays)
	}
}

// checkKept demands every user's picture, except that of the user lost.
func (d *damaged) checkKept(s *Store, lost int) {
	d.t.Helper()
	for i, size := range map[int]int{1: 5000, 2: 100, 4: 9000, 5: 20000, 9: 6000} {
		want := upload(i, size)
		got, err := s.Get(context.Background(), want.User, testOrg)
		if i == lost && err != nil {
			continue
		}
		if err != nil || !bytes.Equal(got.Data, want.Picture.Data) {
			d.t.Errorf("picture of user %d: %d bytes, %v", i, len(got.Data), err)
		}
	}
	if _, err := s.Get(context.Background(), testKey(3), testOrg); !errors.Is(err, storage.ErrNoPicture) {
		d.t.Errorf("picture of user 3: %v, want %v", err, storage.ErrNoPicture)
	}
}

// checkWorks uses a repaired store: every slot that came free is given away once.
func (d *damaged) checkWorks(s *Store) {
	d.t.Helper()
	each(16, 60, func(i int) { mustPut(d.t, s, i, 100+i*100) })
	for i := range 60 {
		if got, err := s.Get(context.Background(), testKey(i), testOrg); err != nil || !bytes.Equal(got.Data, upload(i, 100+i*100).Picture.Data) {
			d.t.Errorf("picture of user %d after the repair: %d bytes, %v", i, len(got.Data), err)
		}
	}
	each(16, 60, func(i int) { mustRemove(d.t, s, i) })
	wantClean(d.t, s)
}

func (d *damaged) files() map[string]string {
	d.t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		data, err := os.ReadFile(filepath.Join(d.dir, e.Name()))
		if err != nil {
			d.t.Fatal(err)
		}
		if len(data) > 0 { // SQLite makes a log that stays empty
			all[e.Name()] = string(data)
		}
	}
	return all
}
