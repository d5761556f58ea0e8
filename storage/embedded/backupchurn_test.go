package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"avatard/storage"
	"avatard/storage/storagetest"
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
}

type witnessedPicture struct {
	size    int
	there   time.Time // acknowledged
	leaving time.Time // what erases it was called for, zero for never
	gone    time.Time // and acknowledged
}

func newBackupWitness(t *testing.T, dir string) *backupWitness {
	w := &backupWitness{now: ticking(), pattern: storagetest.NewPattern(7), users: make(map[int]*witnessed), pictures: make(map[uint32]*witnessedPicture)}
	s, err := Open(t.Context(), Config{Dir: dir, Now: w.now})
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
	w.users[user].all = append(w.users[user].all, number)
	w.pictures[number] = &witnessedPicture{size: size, there: w.now()}
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
		u = &witnessed{records: make(map[uint64]storage.Result)}
		w.users[user] = u
	}
	u.records[res.Details.Sequence] = res
	if u.picture != 0 && u.picture != picture {
		w.pictures[u.picture].gone = w.now()
	}
	u.picture = picture
}

// check looks at a backup, unless file is "", and at what was restored from it. Erasures are known up to a moment.
func (w *backupWitness) check(t *testing.T, file, dir string, sum BackupSummary, known time.Time) {
	t.Helper()
	restored := openTest(t, dir)
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
func (w *backupWitness) checkUser(t *testing.T, restored *Store, user int, sum BackupSummary, known time.Time) (picture uint32, ok bool) {
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

// A backup runs while many callers put, replace and remove pictures of a few hundred users, and somebody new comes all
// the time. What is restored is true; with the receipts of later it is true of later.
func TestBackupUnderChurn(t *testing.T) {
	const users, callers = 240, 12
	var changes atomic.Int64
	w := newBackupWitness(t, t.TempDir())
	for user := range users {
		if user%5 > 0 {
			if err := w.put(user, 300+user*40); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop, changed := make(chan struct{}), make(chan struct{}, 1)
	var busy sync.WaitGroup
	for caller := range callers {
		busy.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(caller)))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				user := caller + callers*random.IntN(users/callers/2) // the other half stays as it is
				if n%8 == 0 {
					user = 10_000 + caller + callers*n
				}
				var err error
				if random.IntN(3) == 0 {
					err = w.remove(user)
				} else {
					err = w.put(user, 300+random.IntN(12_000))
				}
				changes.Add(1)
				select {
				case changed <- struct{}{}:
				default:
				}
				if err != nil {
					t.Errorf("user %d: %v", user, err)
					return
				}
			}
		})
	}
	type made struct {
		name string
		sum  BackupSummary
	}
	var backups []made
	for range 3 {
		var stream bytes.Buffer
		_, err := w.s.Backup(t.Context(), writerFunc(func(p []byte) (int, error) {
			for until := changes.Load() + 10; changes.Load() < until && !t.Failed(); { // or it would be over before anything happens
				<-changed
			}
			return stream.Write(p)
		}), BackupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		name, sum := saveStream(t, &stream)
		t.Logf("%+v", sum)
		if sum.Changed == 0 {
			t.Error("nobody changed while the backup ran: nothing is shown")
		}
		backups = append(backups, made{name, sum})
	}
	close(stop)
	busy.Wait()
	later, receipts := saveTest(t, w.s, BackupOptions{ReceiptsOnly: true})
	for i, b := range backups {
		t.Run(fmt.Sprint("backup ", i), func(t *testing.T) {
			dir, _ := restoreTest(t, b.name, "")
			w.check(t, b.name, dir, b.sum, b.sum.Ended)
			dir, _ = restoreTest(t, b.name, later)
			w.check(t, b.name, dir, b.sum, receipts.Ended)
		})
	}
}

// Between any two writes of a backup somebody's picture is removed, replaced, or uploaded and removed by somebody new;
// pictures are as large as what is written at once.
func TestBackupWithAChangeAtEveryWrite(t *testing.T) {
	for at := 1; ; at++ {
		w := newBackupWitness(t, t.TempDir())
		for user := range 6 {
			if err := w.put(user, 70_000); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.remove(5); err != nil {
			t.Fatal(err)
		}
		writes := 0
		var stream bytes.Buffer
		sum, err := w.s.Backup(t.Context(), writerFunc(func(p []byte) (int, error) {
			if writes++; writes == at {
				for _, change := range []func() error{
					func() error { return w.remove(0) },
					func() error { return w.put(1, 70_001) },
					func() error { return w.put(4, 90_000) },
					func() error { return w.remove(4) },
					func() error { return w.put(5, 70_002) },
					func() error { return w.put(100, 70_003) },
					func() error { return w.remove(100) },
					func() error { return w.put(101, 70_004) },
				} {
					if err := change(); err != nil {
						t.Error(err)
					}
				}
			}
			return stream.Write(p)
		}), BackupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if writes < at {
			if at < 6 {
				t.Errorf("%d writes in all", writes)
			}
			return
		}
		asItCame := filepath.Join(t.TempDir(), "stream")
		if err := os.WriteFile(asItCame, stream.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		dir, _ := restoreTest(t, asItCame, "")
		w.check(t, "", dir, sum, sum.Ended)
		file, _ := saveStream(t, &stream)
		dir, _ = restoreTest(t, file, "")
		w.check(t, file, dir, sum, sum.Ended)
		if t.Failed() {
			t.Fatalf("changes before write %d", at)
		}
	}
}
