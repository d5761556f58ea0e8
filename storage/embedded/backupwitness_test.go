package embedded

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
)

// backupWitness remembers what was acknowledged, and when, by the clock of the store, so that it can say of a restored
// store what must be in it and what must not.
type backupWitness struct {
	s       *Store
	now     func() time.Time
	pattern *storagetest.Pattern

	mu       sync.Mutex
	users    map[int]*witnessed
	pictures map[uint32]*witnessedPicture
	numbers  uint32
}

type witnessed struct {
	records map[uint64]storage.Result // by sequence
	picture uint32                    // 0 for none
	all     []uint32                  // that were ever acknowledged
	erasing map[uint64]time.Time      // sequences of records that say that a picture was erased, and when that was acknowledged
}

type witnessedPicture struct {
	size    int
	instead bool      // of another one
	there   time.Time // acknowledged
	leaving time.Time // what erases it was called for, zero for never
	gone    time.Time // and acknowledged
}

func newBackupWitness(t *testing.T, wrap func(string, File) File) *backupWitness {
	w := &backupWitness{now: ticking(), pattern: storagetest.NewPattern(7), users: make(map[int]*witnessed), pictures: make(map[uint32]*witnessedPicture)}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Now: w.now, WrapFile: wrap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.s = s
	return w
}

// put and remove change a user. Changes of one user are made one after the other.
func (w *backupWitness) put(user, size int) error {
	w.mu.Lock()
	w.numbers++
	number := w.numbers
	w.leave(user)
	w.mu.Unlock()
	res, err := w.s.Put(context.Background(), storage.Upload{User: testKey(user), Organization: testOrg, By: testBy, Register: true,
		Picture: storage.Picture{Format: storage.PNG, Data: w.pattern.Picture(number, size)}})
	if err != nil {
		return err
	}
	w.acknowledge(user, res, number)
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.users[user]
	u.all = append(u.all, number)
	_, instead := u.erasing[res.Details.Sequence]
	w.pictures[number] = &witnessedPicture{size: size, instead: instead, there: w.now()}
	return nil
}

func (w *backupWitness) remove(user int) error {
	w.mu.Lock()
	w.leave(user)
	w.mu.Unlock()
	res, err := w.s.Remove(context.Background(), removal(user))
	if errors.Is(err, storage.ErrUserNotFound) {
		return nil
	}
	if err == nil {
		w.acknowledge(user, res, 0)
	}
	return err
}

func (w *backupWitness) leave(user int) {
	if u := w.users[user]; u != nil && u.picture != 0 {
		w.pictures[u.picture].leaving = w.now()
	}
}

func (w *backupWitness) acknowledge(user int, res storage.Result, picture uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.users[user]
	if u == nil {
		u = &witnessed{records: make(map[uint64]storage.Result), erasing: make(map[uint64]time.Time)}
		w.users[user] = u
	}
	u.records[res.Details.Sequence] = res
	if u.picture != 0 && u.picture != picture {
		w.pictures[u.picture].gone = w.now()
		u.erasing[res.Details.Sequence] = w.now()
	}
	u.picture = picture
}

// check looks at a backup, unless file is "", and at what was restored from it. Erasures are known up to a moment.
func (w *backupWitness) check(t *testing.T, file, dir string, sum storage.ExportSummary, known time.Time) {
	t.Helper()
	restored := openTest(t, dir)
	wantClean(t, restored)
	living := make(map[uint32]bool)
	for user := range w.users {
		if number, ok := w.checkUser(t, restored, user, sum, known); ok {
			living[number] = true
		}
	}
	if file != "" {
		found := w.search(t, filepath.Dir(file))
		for number := range found {
			if p := w.pictures[number]; !p.gone.IsZero() && p.gone.Before(sum.Ended) {
				t.Errorf("the backup holds picture %d, which was erased at %v, before its end at %v", number, p.gone, sum.Ended)
			}
		}
		if len(found) == 0 {
			t.Error("the search finds nothing in the backup")
		}
	}
	for number := range w.search(t, dir) {
		if !living[number] {
			t.Errorf("the restored directory holds picture %d, which nobody has", number)
		}
	}
	var users []int
	for user := range w.users {
		users = append(users, user)
	}
	each(32, len(users), func(i int) {
		mustPut(t, restored, users[i], 1000)
		mustRemove(t, restored, users[i])
	})
	if err := restored.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if pieces := w.search(t, dir); len(pieces) > 0 {
		t.Errorf("pictures %v are left after everybody's was removed", pieces)
	}
}

// checkUser looks at one user and returns the picture that there is.
func (w *backupWitness) checkUser(t *testing.T, restored *Store, user int, sum storage.ExportSummary, known time.Time) (picture uint32, ok bool) {
	t.Helper()
	u, key := w.users[user], testKey(user)
	res, created, err := restored.AddUser(t.Context(), key, testOrg, testBy)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range u.records {
		if (created || r.Details.Sequence > res.Details.Sequence) && !r.Details.ChangeDate.After(sum.Began) {
			t.Errorf("user %d has come to %+v, want at least %+v, which was before the backup began", user, res.Details, r.Details)
		}
	}
	for sequence, at := range u.erasing {
		if res.Details.Sequence < sequence && at.Before(known) {
			t.Errorf("user %d has come to %+v, want at least %d, where a picture was erased", user, res.Details, sequence)
		}
	}
	if created {
		return 0, false
	}
	// Being registered is part of the first upload and has no answer of its own.
	if want, ok := u.records[res.Details.Sequence]; ok && want.Details != res.Details || !ok && res.Details.Sequence != 1 {
		t.Errorf("user %d has the details %+v, want %+v", user, res.Details, want.Details)
	}
	got, err := restored.Get(t.Context(), key, testOrg)
	if err != nil && !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get(%d) = %v", user, err)
	}
	for _, number := range u.all {
		p := w.pictures[number]
		is := err == nil && bytes.Equal(got.Data, w.pattern.Picture(number, p.size))
		switch {
		case is && !p.gone.IsZero() && p.gone.Before(known):
			t.Errorf("picture %d of user %d is back, which was erased at %v, before %v", number, user, p.gone, known)
		case !is && p.there.Before(sum.Began) && (p.leaving.IsZero() || p.leaving.After(known)):
			t.Errorf("picture %d of user %d is not there, which was from before the backup to its end", number, user)
		case !is && p.instead && p.there.Before(sum.Ended) && (p.leaving.IsZero() || p.leaving.After(known)) && sum.Missing == 0:
			t.Errorf("picture %d of user %d is not there, which was there at the end in place of another one", number, user)
		}
		if is {
			picture, ok = number, true
		}
	}
	if err == nil && !ok {
		t.Errorf("user %d has a picture that nobody has uploaded", user)
	}
	return picture, ok
}

func (w *backupWitness) search(t *testing.T, dir string) map[uint32]bool {
	t.Helper()
	pieces, err := w.pattern.Search(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[uint32]bool)
	for _, p := range pieces {
		found[p.Number] = true
	}
	return found
}

// ticking is a clock that moves by a microsecond with every look, so that each moment tells what came before it.
func ticking() func() time.Time {
	tick := make(chan int64, 1)
	tick <- 0
	return func() time.Time {
		n := <-tick + 1
		tick <- n
		return time.UnixMicro(1_000_000 + n).UTC()
	}
}
