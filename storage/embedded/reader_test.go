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

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// checkReader demands that both connections see the same of every user.
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

// Both connections see the same after every kind of change, checkpoint and rollback. The cache is so small that transactions write to
// the log before they end.
func TestReaderSeesWhatIsDurable(t *testing.T) {
	var failing atomic.Bool
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), WrapFile: func(name string, f File) File {
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
	c := &readerChanges{t: t, s: s, failing: &failing, random: rand.New(rand.NewPCG(1, 2)), counts: map[string]int{}}
	for step := range 300 {
		kind := readerChangeKinds[c.random.IntN(len(readerChangeKinds))]
		if err := kind.make(c, step); err != nil && !errors.Is(err, storage.ErrUserNotFound) && !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("step %d, %s: %v", step, kind.name, err)
		}
		c.counts[kind.name]++
		checkReader(t, s, readerUsers, fmt.Sprintf("step %d, %s", step, kind.name))
	}
	if c.counts["written before it was undone"] == 0 {
		t.Error("no transaction wrote to the log before it was undone")
	}
	t.Logf("%v, %d pages in the log", c.counts, len(s.db.pages.InLog))
}

const readerUsers = 60

// readerChanges changes a store at random.
type readerChanges struct {
	t       *testing.T
	s       *Store
	failing *atomic.Bool
	random  *rand.Rand
	counts  map[string]int
}

// readerChangeKinds are as often in the list as they are to come.
var readerChangeKinds = []struct {
	name string
	make func(c *readerChanges, step int) error
}{
	{"upload", (*readerChanges).upload},
	{"upload", (*readerChanges).upload},
	{"upload", (*readerChanges).upload},
	{"delete", func(c *readerChanges, _ int) error {
		_, err := c.s.Remove(context.Background(), removal(c.random.IntN(readerUsers)))
		return err
	}},
	{"many at once", func(c *readerChanges, _ int) error {
		each(16, 16, func(int) {
			_, _, _ = c.s.AddUser(context.Background(), testKey(rand.IntN(readerUsers)), testOrg, testBy)
		})
		return nil
	}},
	{"a commit that fails", (*readerChanges).failCommit},
	{"checkpoint", func(c *readerChanges, _ int) error { return c.checkpoint(sqlite3.CHECKPOINT_PASSIVE) }},
	{"a transaction that is undone", (*readerChanges).undo},
	{"empty log", func(c *readerChanges, _ int) error { return c.checkpoint(sqlite3.CHECKPOINT_TRUNCATE) }},
}

func (c *readerChanges) upload(int) error {
	_, err := c.s.Put(context.Background(), upload(c.random.IntN(readerUsers), 100+c.random.IntN(9000)))
	return err
}

func (c *readerChanges) checkpoint(mode sqlite3.CheckpointMode) (err error) {
	onCommitter(c.s, func() { err = c.s.checkpoint(mode) })
	return err
}

func (c *readerChanges) failCommit(int) error {
	c.failing.Store(true)
	if _, err := c.s.Remove(context.Background(), removal(c.random.IntN(readerUsers))); err == nil {
		c.counts["nothing to fail"]++
	}
	c.failing.Store(false)
	checkReader(c.t, c.s, readerUsers, "after a commit that failed")
	return c.checkpoint(sqlite3.CHECKPOINT_PASSIVE) // syncs the log
}

func (c *readerChanges) undo(step int) error {
	ctx := context.Background()
	undone := c.s.queue.submit(ctx, &request{op: &repair{s: c.s, do: func(r *groupCommit, _ *request) error {
		err := r.db.once(`UPDATE OR ROLLBACK user SET sequence = sequence + 1`, nil)
		for range 40 { // so much that the users' page is written to the log meanwhile
			err = errors.Join(err, r.audit("undone", testOrg, strings.Repeat("x", 3000), testBy))
		}
		return errors.Join(err, errors.New("undone"))
	}}})
	if undone == nil {
		c.t.Fatal("nothing was undone")
	}
	onCommitter(c.s, func() {
		if len(c.s.db.pages.Written) > 0 {
			c.counts["written before it was undone"]++
		}
	})
	_, err := c.s.AddOrganization(ctx, fmt.Sprint("organisation ", step), testBy) // writes other pages to the same places
	return err
}

// failingSync fails the syncs of a file while failing is set.
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

// A change is not seen before its commit is durable, and is seen by every read from then on.
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

// Beside changes and checkpoints, a read sees every change that was answered before it began, and everything that an earlier read saw,
// whichever connection they use.
func TestReaderNeverGoesBack(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, t.TempDir())
	const users, changes = 4, 60
	var seen [users]seenSequence
	for i := range users {
		mustPut(t, s, i, 3000)
		seen[i].raise(2)
	}
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
				seen[i].raise(int64(res.Details.Sequence))
			}
		})
		readers.Go(func() {
			for n := 0; !over.Load(); n++ {
				before := seen[i].newest.Load()
				sequence, err := readSequence(s, i, n%3 == 0)
				if err != nil {
					t.Error(err)
					return
				}
				if sequence < before {
					t.Errorf("user %d is read at %d after %d", i, sequence, before)
					return
				}
				seen[i].raise(sequence)
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

// seenSequence is the largest sequence of a user that was answered or read.
type seenSequence struct{ newest atomic.Int64 }

func (s *seenSequence) raise(n int64) {
	for old := s.newest.Load(); old < n && !s.newest.CompareAndSwap(old, n); old = s.newest.Load() {
	}
}

// readSequence reads the sequence of a user through the second connection, or as any call does.
func readSequence(s *Store, user int, second bool) (int64, error) {
	if !second {
		info, err := s.Stat(context.Background(), testKey(user), testOrg)
		return int64(info.Details.Sequence), err
	}
	iid, _ := s.registry.issuer("test")
	row, err := s.reader.userRow(iid, testKey(user).ID, func(row *userRow) { s.rows.keep(rowKey{iid, testKey(user).ID}, row) })
	if err == nil && row == nil {
		err = storage.ErrUserNotFound
	}
	if err != nil {
		return 0, err
	}
	return row.sequence, nil
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
