package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/test/scratch"
)

func TestContract(t *testing.T) {
	scratch.OnDisk(t)
	var broken sync.Map // states whose slab cannot be written
	storagetest.Run(t, storagetest.Harness{
		Open: func(ctx context.Context, state string, now func() time.Time) (storage.Store, error) {
			s, err := embedded.Open(ctx, embedded.Config{Dir: state, Now: now, WrapFile: func(name string, f embedded.File) embedded.File {
				if name != "pictures.slab" {
					return f
				}
				return brokenFile{f, func() bool { _, is := broken.Load(state); return is }}
			}})
			if err != nil {
				return nil, err // not a nil *Store in an interface
			}
			return s, nil
		},
		Refusals: refusalsIn,
		Break: func(state string) (heal func()) {
			broken.Store(state, true)
			return func() { broken.Delete(state) }
		},
		Pieces: func(state string, p *storagetest.Pattern) ([]storagetest.Piece, error) { return p.Search(state) },
		// What a process has handed to the system outlives it, synced or not.
		Kill: func(state string) (left string, err error) {
			left = state + "-killed"
			err = os.CopyFS(left, os.DirFS(state))
			if chmod := os.Chmod(filepath.Join(left, "receipts.key"), 0o600); !errors.Is(chmod, fs.ErrNotExist) { // there is one once there is a head
				err = errors.Join(err, chmod)
			}
			return left, err
		},
	})
}

// brokenFile is a file that takes nothing while it is broken.
type brokenFile struct {
	embedded.File
	broken func() bool
}

func (f brokenFile) WriteAt(p []byte, off int64) (int, error) {
	if f.broken() {
		return 0, syscall.EIO
	}
	return f.File.WriteAt(p, off)
}

// refusalsIn asks SQLite alone.
func refusalsIn(state string) (all []storage.Refusal, err error) {
	conn, err := sqlite3.Open(filepath.Join(state, "avatard.db"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stmt, _, err := conn.Prepare(`SELECT caller, caller_organization, request, organization, target, action, reason, dropped FROM refusal`)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	for stmt.Step() {
		all = append(all, storage.Refusal{By: storage.Origin{Caller: stmt.ColumnText(0), CallerOrganization: stmt.ColumnText(1), RequestID: stmt.ColumnText(2)},
			Organization: stmt.ColumnText(3), Target: stmt.ColumnText(4), Action: stmt.ColumnText(5), Reason: stmt.ColumnText(6), Dropped: stmt.ColumnInt64(7)})
	}
	return all, stmt.Err()
}

// How much is done: together at least 20,000 changes (four calls in five change something), at seeds that do not
// change.
const (
	churnSeed    = 20230512
	churnUsers   = 300
	churnCallers = 24
	churnRounds  = 25
	churnCalls   = 1000 // calls answered with success between two looks
	churnOrg     = "69629023906488334"
)

// TestNothingLeftUnderChurn keeps putting, replacing and deleting pictures of a few hundred users at once and looks at
// every byte of the data directory, and of the temporary one, after every thousandth success and at the end: no piece
// of a picture is anywhere but of those that live.
func TestNothingLeftUnderChurn(t *testing.T) {
	temp, dir := t.TempDir(), filepath.Join(t.TempDir(), "data")
	t.Setenv("TMPDIR", temp)
	s, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := &churn{t: t, pattern: storagetest.NewPattern(churnSeed), dirs: []string{dir, temp}}
	c.store = s
	rounds := churnRounds
	if raceDetector() {
		rounds = 3 // thirty times slower, and it is the interleavings that it looks at
	}
	for round := range rounds {
		c.run(round)
		c.look(fmt.Sprintf("after %d calls", (round+1)*churnCalls))
		if t.Failed() {
			break
		}
	}
	if n, want := c.changes(), uint64(rounds)*churnCalls*4/5; n < want && !t.Failed() {
		t.Errorf("%d changes made, want at least %d", n, want)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
	c.store = nil
	c.look("after Close")

	if s, err = embedded.Open(t.Context(), embedded.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	c.store = s
	c.look("opened again")
	for i := range c.users {
		if c.users[i].sequence == 0 {
			continue // no caller happened to upload for this one
		}
		if _, err := s.Remove(t.Context(), storage.Removal{User: churnUser(i), Organization: churnOrg}); err != nil {
			t.Errorf("Remove(%d) = %v, want nil", i, err)
		}
		c.users[i].size = 0
	}
	c.look("after everything was removed")
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
	c.store = nil
	c.look("after the last Close")
}

// raceDetector reports whether this test was built with -race.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// churn is the store and what should be in it.
type churn struct {
	t       *testing.T
	store   *embedded.Store // nil while it is closed
	pattern *storagetest.Pattern
	dirs    []string

	mu    sync.Mutex
	users [churnUsers]living
}

// living is what the newest change of a user left: a picture, or none when size is 0.
type living struct {
	sequence uint64
	number   uint32
	size     int
}

func churnUser(i int) storage.UserKey {
	return storage.UserKey{Issuer: "https://issuer.test", ID: fmt.Sprint("user-", i)}
}

// run makes one group commit of calls and returns when all are answered, so that what lives is known exactly.
func (c *churn) run(round int) {
	var next atomic.Int64
	var callers sync.WaitGroup
	for range churnCallers {
		callers.Go(func() {
			for n := int(next.Add(1)) - 1; n < churnCalls; n = int(next.Add(1)) - 1 {
				if err := c.call(uint32(round*churnCalls + n)); err != nil {
					c.t.Errorf("call %d: %v", n, err)
					return
				}
			}
		})
	}
	callers.Wait()
}

// call makes one change; which one, of whom and how large depends on its number alone.
func (c *churn) call(number uint32) error {
	random := rand.New(rand.NewPCG(churnSeed, uint64(number)))
	i := random.IntN(churnUsers)
	if random.Float64() < 0.4 {
		res, err := c.store.Remove(context.Background(), storage.Removal{User: churnUser(i), Organization: churnOrg})
		if errors.Is(err, storage.ErrUserNotFound) {
			err = nil // not uploaded yet
		}
		c.note(i, living{sequence: res.Details.Sequence})
		return err
	}
	// Logarithmically uniform: as many of 200 B to 2 kB as of 20 kB to 200 kB.
	size := int(200 * math.Pow(1500, random.Float64()))
	res, err := c.store.Put(context.Background(), storage.Upload{
		User: churnUser(i), Organization: churnOrg, Register: true,
		Picture: storage.Picture{Format: storage.JPEG, Data: c.pattern.Picture(number, size)},
	})
	c.note(i, living{res.Details.Sequence, number, size})
	return err
}

// note keeps the newest change of a user, whatever order the answers come in.
func (c *churn) note(i int, l living) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.sequence > c.users[i].sequence {
		c.users[i] = l
	}
}

func (c *churn) changes() (n uint64) {
	for _, l := range c.users {
		if l.sequence > 0 {
			n += l.sequence - 1 // the registration is number 1
		}
	}
	return n
}

// look searches all files. Of the living it must find every byte, or the search would prove nothing.
func (c *churn) look(when string) {
	c.t.Helper()
	pieces, err := c.pattern.Search(c.dirs...)
	if err != nil {
		c.t.Fatal(err)
	}
	found := map[uint32]int{}
	lives := map[uint32]bool{}
	for i, l := range c.users {
		if l.size > 0 {
			lives[l.number] = true
			c.read(when, i, l)
		}
	}
	bad := 0
	for _, p := range pieces {
		if found[p.Number] += p.Length; lives[p.Number] {
			continue
		}
		if bad++; bad <= 5 {
			c.t.Errorf("%s: %v, which is erased", when, p)
		}
	}
	if bad > 5 {
		c.t.Errorf("%s: %d pieces of erased pictures in all", when, bad)
	}
	for i, l := range c.users {
		if l.size > 0 && found[l.number] < l.size {
			c.t.Errorf("%s: the search found %d of %d bytes of the picture of user %d, who has one", when, found[l.number], l.size, i)
		}
	}
}

// read demands that a living picture is served.
func (c *churn) read(when string, i int, l living) {
	c.t.Helper()
	if c.store == nil {
		return
	}
	p, err := c.store.Get(context.Background(), churnUser(i), churnOrg)
	if err != nil || !bytes.Equal(p.Data, c.pattern.Picture(l.number, l.size)) {
		c.t.Errorf("%s: Get(%d) = %d bytes, %v, want picture %d of %d bytes", when, i, len(p.Data), err, l.number, l.size)
	}
}
