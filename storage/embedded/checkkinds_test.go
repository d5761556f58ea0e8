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

	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// damaged is a data directory that nobody has open, and the means to spoil it.
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

// TestCheckFinds spoils a store in every way there is, in turn, and looks at what is found: without a server, beside one,
// and after a repair either way.
func TestCheckFinds(t *testing.T) {
	base := newDamaged(t)
	contradicts := []storage.FindingKind{storage.MetadataContradicts}
	for _, tt := range []struct {
		title string
		spoil func(d *damaged)
		want  []storage.FindingKind
		// stays are findings that no repair takes away.
		stays []storage.FindingKind
		// lost is whose picture is lost, or was to be gone.
		lost int
		// says is what the details of the findings contain.
		says string
	}{
		{"nothing", func(*damaged) {}, nil, nil, 0, ""},
		{"bytes in a slot that nobody ever had", func(d *damaged) { d.write((d.slot(2)+9)*slab.PageBytes+77, []byte("left")) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"bytes in an erased slot", func(d *damaged) { d.write(d.slot(3)*slab.PageBytes+4000, []byte("left")) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"a whole picture in an erased slot", func(d *damaged) { d.write(d.slot(3)*slab.PageBytes, d.read(d.slot(2)*slab.PageBytes, slab.PageBytes)) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"a byte right behind a picture", func(d *damaged) { d.write(d.slot(1)*slab.PageBytes+slab.HeaderBytes+5000, []byte{1}) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"a byte at the end of a picture's slot", func(d *damaged) { d.write((d.slot(1)+2)*slab.PageBytes-1, []byte{1}) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"bytes behind the header of the slab", func(d *damaged) { d.write(slab.PageBytes-3, []byte("end")) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"bytes behind the last region", func(d *damaged) { d.write(d.end()*slab.PageBytes+9000, []byte("tail")) },
			[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
		{"zeros behind the last region, as a crash in growth leaves them", func(d *damaged) { d.truncate((d.end() + slab.MaxRegionPages) * slab.PageBytes) },
			nil, nil, 0, ""},
		{"more zeros than that", func(d *damaged) { d.truncate((d.end()+slab.MaxRegionPages)*slab.PageBytes + 1) },
			[]storage.FindingKind{SlabLength}, nil, 0, ""},
		{"much behind the last region", func(d *damaged) { d.write((d.end()+2*slab.MaxRegionPages)*slab.PageBytes, []byte("far")) },
			[]storage.FindingKind{storage.OrphanedBytes, SlabLength}, nil, 0, ""},
		{"an empty slot in place of a picture", func(d *damaged) { d.write(d.slot(2)*slab.PageBytes, make([]byte, slab.PageBytes)) },
			[]storage.FindingKind{storage.PictureMissing}, nil, 2, ""},
		{"another picture in its place", func(d *damaged) { d.write(d.slot(2)*slab.PageBytes, d.read(d.slot(4)*slab.PageBytes, slab.PageBytes)) },
			[]storage.FindingKind{storage.PictureMissing}, nil, 2, ""},
		{"a bit that has turned over", func(d *damaged) {
			d.write(d.slot(1)*slab.PageBytes+5000, []byte{^d.read(d.slot(1)*slab.PageBytes+5000, 1)[0]})
		},
			[]storage.FindingKind{storage.PictureMissing}, nil, 1, ""},
		{"a length that has turned over", func(d *damaged) { d.write(d.slot(1)*slab.PageBytes+slab.HeaderLengthOffset, []byte{0xff}) },
			[]storage.FindingKind{storage.PictureMissing}, nil, 1, ""},
		{"a header that is no header", func(d *damaged) { d.write(d.slot(1)*slab.PageBytes, []byte("X")) },
			[]storage.FindingKind{storage.PictureMissing}, nil, 1, ""},
		{"a row with another size", func(d *damaged) { d.sql(`UPDATE generation SET size = size + 1 WHERE slot = %d`, d.slot(1)) },
			contradicts, contradicts, 1, "its row says 5001"},
		{"a row with a size for smaller slots", func(d *damaged) { d.sql(`UPDATE generation SET size = 1 WHERE slot = %d`, d.slot(1)) },
			contradicts, contradicts, 1, "its row says 1"},
		{"a row with a size for larger slots", func(d *damaged) { d.sql(`UPDATE generation SET size = 1 << 20 WHERE slot = %d`, d.slot(1)) },
			contradicts, contradicts, 1, "is not kept in slots of 8192"},
		{"a row between two slots", func(d *damaged) { d.sql(`UPDATE generation SET slot = slot + 1 WHERE slot = %d`, d.slot(1)) },
			[]storage.FindingKind{storage.MetadataContradicts, storage.OrphanedBytes}, contradicts, 1, "is not the beginning of a slot"},
		{"an erased generation without a receipt", func(d *damaged) { d.sql(`UPDATE generation SET receipt = NULL WHERE slot = %d`, d.slot(3)) },
			contradicts, contradicts, 0, "has no receipt"},
		{"a receipt that is gone", func(d *damaged) { d.sql(`DELETE FROM receipt WHERE uid = %d`, d.uid(3)) },
			[]storage.FindingKind{storage.MetadataContradicts, storage.MetadataContradicts}, []storage.FindingKind{storage.MetadataContradicts, storage.MetadataContradicts}, 0, "is not there"},
		{"a receipt of another generation", func(d *damaged) { d.sql(`UPDATE receipt SET generation = randomblob(16) WHERE uid = %d`, d.uid(3)) },
			contradicts, contradicts, 0, "is that of another one"},
		{"a living picture with a receipt on its row", func(d *damaged) {
			d.sql(`UPDATE generation SET receipt = (SELECT receipt FROM user WHERE uid = %[1]d) WHERE uid = %[1]d AND state = 2`, d.uid(5))
		}, contradicts, contradicts, 5, "is that of another one"},
		{"two receipts of one generation", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 100, uid, generation, time, reason, seq, 1 FROM receipt WHERE uid = %[1]d;
				UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(3))
		}, contradicts, contradicts, 0, "is of the same generation"},
		{"a receipt on record of a picture that lives", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 100, uid, id, 5, 1, NULL, 1 FROM generation WHERE uid = %[1]d;
				UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(2))
		}, contradicts, contradicts, 0, "says that the generation is erased, and it is not"},
		{"a receipt that leads to nothing", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 100, uid, randomblob(16), 5, 1, 99, 1 FROM user WHERE uid = %[1]d;
				UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(2))
		}, contradicts, contradicts, 0, "receipt 99, to which those of the user lead, is not there"},
		{"a receipt that leads to somebody else's", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 100, uid, randomblob(16), 5, 1, (SELECT receipt FROM user WHERE uid = %[2]d), 1 FROM user WHERE uid = %[1]d;
				UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(2), d.uid(3))
		}, contradicts, contradicts, 0, "lead to that of another one"},
		{"a receipt that leads to itself", func(d *damaged) { d.sql(`UPDATE receipt SET previous = seq WHERE uid = %d`, d.uid(3)) },
			contradicts, contradicts, 0, "a later one comes before it"},
		{"a user who does not know of the newest receipt", func(d *damaged) { d.sql(`UPDATE user SET receipt = NULL WHERE uid = %d`, d.uid(3)) },
			contradicts, contradicts, 0, "neither the user nor a later receipt"},
		{"a user who does not know of the two newest receipts", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 100, uid, randomblob(16), 5, 1, seq, 1 FROM receipt WHERE uid = %[1]d;
				INSERT INTO receipt SELECT 101, uid, randomblob(16), 5, 1, 100, 1 FROM receipt WHERE seq = 100;
				UPDATE store SET watermark = 101`, d.uid(3))
		}, contradicts, contradicts, 0, "neither the user nor a later receipt"},
		{"a receipt beside the chain", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 100, uid, randomblob(16), 5, 1, NULL, 1 FROM user WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(3))
		}, contradicts, contradicts, 0, "neither the user nor a later receipt"},
		{"a receipt beside the chain with a number far away", func(d *damaged) {
			d.sql(`INSERT INTO receipt SELECT 1 << 60, uid, randomblob(16), 5, 1, NULL, 1 FROM user WHERE uid = %[1]d; UPDATE store SET watermark = 1 << 60`, d.uid(3))
		}, contradicts, contradicts, 0, "neither the user nor a later receipt"},
		{"two pictures of one user", func(d *damaged) {
			d.sql(`INSERT INTO generation SELECT slot + 9, randomblob(16), uid, 2, size, format, NULL FROM generation WHERE slot = %d`, d.slot(2))
		}, []storage.FindingKind{storage.PictureMissing, storage.MetadataContradicts}, nil, 0, "the user has 2 pictures"},
		{"a picture of nobody", func(d *damaged) { d.sql(`UPDATE generation SET uid = 77 WHERE slot = %d`, d.slot(2)) },
			contradicts, contradicts, 2, "a user who is not there"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			t.Parallel()
			d := &damaged{t: t, dir: filepath.Join(t.TempDir(), "data")}
			if err := os.CopyFS(d.dir, os.DirFS(base.dir)); err != nil {
				t.Fatal(err)
			}
			d.open()
			tt.spoil(d)
			want := slices.Clone(tt.want)
			slices.Sort(want)
			if err := d.conn.Close(); err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(filepath.Dir(d.dir), "copy")
			if err := os.CopyFS(copied, os.DirFS(d.dir)); err != nil {
				t.Fatal(err)
			}
			// Without a server. SQLite finds rows that refer to nothing, too.
			own := func(all []storage.Finding) []storage.FindingKind {
				return kinds(slices.DeleteFunc(all, func(f storage.Finding) bool {
					return f.Kind == storage.DatabaseDamaged || strings.Contains(f.Detail, "refers to a row of table")
				}))
			}
			before := d.files()
			all := d.checkDir(false)
			if says := func(f storage.Finding) bool { return strings.Contains(f.Detail, tt.says) }; len(want) > 0 && !slices.ContainsFunc(all, says) {
				t.Errorf("found %+v, want one that says %q", all, tt.says)
			}
			for _, f := range all {
				if f.Kind == storage.MetadataContradicts && !strings.HasSuffix(f.Detail, "; restore a backup") {
					t.Errorf("found %+v, want it to say what to do", f)
				}
			}
			if got := own(all); !cmp.Equal(got, want) {
				t.Errorf("found %v, want %v", got, want)
			}
			if !cmp.Equal(before, d.files()) {
				t.Error("looking has changed something")
			}
			d.checkRepair(own(d.checkDir(true)), want, func() []storage.FindingKind { return own(d.checkDir(false)) }, tt.stays)
			s := openTest(t, d.dir)
			d.checkKept(s, tt.lost)

			// Beside a server.
			d = &damaged{t: t, dir: copied}
			s = openTest(t, copied)
			if got := kinds(checkStore(t, s, false)); !cmp.Equal(got, want) {
				t.Errorf("beside a server: found %v, want %v", got, want)
			}
			d.checkKept(s, tt.lost)
			d.checkRepair(kinds(checkStore(t, s, true)), want, func() []storage.FindingKind { return kinds(checkStore(t, s, false)) }, tt.stays)
			d.checkKept(s, tt.lost)
			if len(tt.stays) == 0 {
				d.checkWorks(s)
			}
		})
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

// checkKept looks for everybody's picture, but that of lost.
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
