package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// checkReader demands that the second connection sees of every user what the first one sees.
func checkReader(t *testing.T, s *Store, users int, when string) {
	t.Helper()
	iid, _ := s.registry.issuer("test")
	s.db.lock()
	defer s.db.mu.Unlock()
	for i := range users {
		id := testKey(i).ID
		want, err := s.db.userRow(iid, id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.reader.userRow(iid, id, func(*userRow) {})
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Fatalf("%s: %s is read as %+v, want %+v", when, id, got, want)
		}
	}
}

// Whatever is written, moved into the database, undone or begun anew, both connections see the same. The cache is so small that
// transactions write to the log before they end.
func TestReaderSeesWhatIsDurable(t *testing.T) {
	ctx := context.Background()
	var failing atomic.Bool
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: func(name string, f File) File {
		if name == logName {
			return &failingSync{f, &failing}
		}
		return f
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.db.lock()
	err = s.db.conn.Exec(`PRAGMA cache_size = 5; PRAGMA cache_spill = 5`)
	s.db.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	const users = 60
	random := rand.New(rand.NewPCG(1, 2))
	counts := map[string]int{}
	for step := range 300 {
		var what string
		switch random.IntN(9) {
		case 0, 1, 2:
			what = "upload"
			_, err = s.Put(ctx, upload(random.IntN(users), 100+random.IntN(9000)))
		case 3:
			what = "delete"
			_, err = s.Remove(ctx, removal(random.IntN(users)))
		case 4:
			what = "many at once"
			each(16, 16, func(int) { _, _, _ = s.AddUser(ctx, testKey(rand.IntN(users)), testOrg, testBy) })
		case 5:
			what = "a commit that fails"
			failing.Store(true)
			if _, ferr := s.Remove(ctx, removal(random.IntN(users))); ferr == nil {
				counts["nothing to fail"]++
			}
			failing.Store(false)
			checkReader(t, s, users, "after a commit that failed")
			onCommitter(s, func() { err = s.checkpoint(sqlite3.CHECKPOINT_PASSIVE) }) // syncs the log
		case 6:
			what = "checkpoint"
			onCommitter(s, func() { err = s.checkpoint(sqlite3.CHECKPOINT_PASSIVE) })
		case 7:
			what = "a transaction that is undone"
			undone := s.queue.submit(ctx, &request{op: &repair{s: s, do: func(r *groupCommit, _ *request) error {
				err := r.db.once(`UPDATE OR ROLLBACK user SET sequence = sequence + 1`, nil)
				for range 40 { // and so much that the users' page is written to the log meanwhile
					err = errors.Join(err, r.audit("undone", "done", testOrg, strings.Repeat("x", 3000), testBy))
				}
				return errors.Join(err, errors.New("undone"))
			}}})
			if undone == nil {
				t.Fatal("nothing was undone")
			}
			onCommitter(s, func() {
				if len(s.db.pages.Written) > 0 {
					counts["written before it was undone"]++
				}
			})
			_, err = s.AddOrganization(ctx, fmt.Sprint("organisation ", step), testBy) // writes other pages to the same places
		case 8:
			what = "empty log"
			onCommitter(s, func() { err = s.checkpoint(sqlite3.CHECKPOINT_TRUNCATE) })
		}
		if err != nil && !errors.Is(err, storage.ErrUserNotFound) && !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("step %d, %s: %v", step, what, err)
		}
		counts[what]++
		checkReader(t, s, users, fmt.Sprintf("step %d, %s", step, what))
	}
	if counts["written before it was undone"] == 0 {
		t.Error("no transaction wrote to the log before it was undone")
	}
	t.Logf("%v, %d pages in the log", counts, len(s.db.pages.InLog))
}

// failingSync fails the syncs of a file while it is told to.
type failingSync struct {
	File
	failing *atomic.Bool
}

func (f *failingSync) Sync() error {
	if f.failing.Load() {
		return errors.New("no sync")
	}
	return f.File.Sync()
}

// What a commit under way changes is not seen before it is durable, and from then on by everybody.
func TestReaderSeesNothingEarly(t *testing.T) {
	ctx := context.Background()
	disk := newHeldLog()
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: disk.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 3000)
	sequence := func() int64 {
		iid, _ := s.registry.issuer("test")
		row, err := s.reader.userRow(iid, testKey(1).ID, func(*userRow) {})
		if err != nil || row == nil {
			t.Fatal(row, err)
		}
		if row.slot == 0 {
			return -row.sequence
		}
		return row.sequence
	}
	disk.held.Store(true)
	removed := make(chan error)
	go func() {
		_, err := s.Remove(ctx, removal(1))
		removed <- err
	}()
	<-disk.waiting
	if n := sequence(); n != 2 {
		t.Errorf("sequence %d while the sync is held, want 2 with a picture", n)
	}
	disk.held.Store(false)
	disk.let <- struct{}{}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if n := sequence(); n != -3 {
		t.Errorf("sequence %d after the answer, want 3 without a picture", -n)
	}
}

// Beside changes and checkpoints, what was answered is seen by every read that begins later, and what one read saw by
// every later one, whichever way they take.
func TestReaderNeverGoesBack(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, t.TempDir())
	const users, changes = 4, 60
	var seen [users]atomic.Int64 // the largest sequence that was answered or read
	raise := func(i int, n int64) {
		for old := seen[i].Load(); old < n && !seen[i].CompareAndSwap(old, n); old = seen[i].Load() {
		}
	}
	for i := range users {
		mustPut(t, s, i, 3000)
		seen[i].Store(2)
	}
	iid, _ := s.registry.issuer("test")
	var writers, readers sync.WaitGroup
	var over atomic.Bool
	for i := range users {
		writers.Go(func() {
			for n := range changes {
				var res storage.Result
				var err error
				if n%2 == 0 {
					res, err = s.Remove(ctx, removal(i))
				} else {
					res, err = s.Put(ctx, upload(i, 500))
				}
				if err != nil {
					t.Error(err)
					return
				}
				raise(i, int64(res.Details.Sequence))
			}
		})
		readers.Go(func() {
			for n := 0; !over.Load(); n++ {
				before := seen[i].Load()
				var sequence int64
				if n%3 == 0 {
					row, err := s.reader.userRow(iid, testKey(i).ID, func(row *userRow) { s.rows.keep(rowKey{iid, testKey(i).ID}, row) })
					if err != nil || row == nil {
						t.Error(row, err)
						return
					}
					sequence = row.sequence
				} else {
					info, err := s.Stat(ctx, testKey(i), testOrg)
					if err != nil {
						t.Error(err)
						return
					}
					sequence = int64(info.Details.Sequence)
				}
				if sequence < before {
					t.Errorf("user %d is read at %d after %d", i, sequence, before)
					return
				}
				raise(i, sequence)
			}
		})
	}
	readers.Go(func() {
		for !over.Load() {
			onCommitter(s, func() { _ = s.checkpoint(sqlite3.CHECKPOINT_PASSIVE) })
		}
	})
	writers.Wait()
	over.Store(true)
	readers.Wait()
}

// A spoilt page is noticed by the second connection as by the first.
func TestReaderNoticesDamage(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 3000)
	onCommitter(s, func() { _ = s.checkpoint(sqlite3.CHECKPOINT_TRUNCATE) })
	f, err := os.OpenFile(filepath.Join(dir, databaseName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	iid, _ := s.registry.issuer("test")
	noticed := 0
	for off := int64(0); off < info.Size(); off += slab.PageBytes {
		page := make([]byte, slab.PageBytes)
		if _, err := f.ReadAt(page, off); err != nil {
			t.Fatal(err)
		}
		page[3000] ^= 4
		if _, err := f.WriteAt(page, off); err != nil {
			t.Fatal(err)
		}
		r, err := openReader(&s.db.pages)
		if err == nil {
			_, err = r.userRow(iid, testKey(1).ID, func(*userRow) {})
			if cerr := r.close(); cerr != nil {
				t.Error(cerr)
			}
		}
		if err != nil && !isDamage(err) {
			t.Errorf("page %d: %v, want damage", off/slab.PageBytes+1, err)
		} else if err != nil {
			noticed++
		}
		page[3000] ^= 4
		if _, err := f.WriteAt(page, off); err != nil {
			t.Fatal(err)
		}
	}
	if noticed < 3 { // the first one, and those of the user and the picture
		t.Errorf("%d spoilt pages were noticed", noticed)
	}
}
