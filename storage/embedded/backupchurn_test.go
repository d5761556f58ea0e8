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

// A backup runs while many callers put, replace and remove pictures of a few hundred users, and somebody new comes all
// the time. What is restored is true; with the receipts of later it is true of later.
func TestBackupUnderChurn(t *testing.T) {
	const users, callers = 240, 12
	var changes atomic.Int64
	w := newBackupWitness(t, nil)
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
		if sum.Changed == 0 || sum.Unreadable > 0 {
			t.Errorf("%+v: want some who changed and no fault of the disk", sum)
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

// Before each write of a backup, and within each of its reads of a picture, pictures are removed, replaced, and uploaded
// and removed by somebody new. Pictures are as large as what is written at once.
func TestBackupWithAChangeAtEveryStep(t *testing.T) {
	for at := 1; backupWithAChangeAt(t, at); at++ {
		if t.Failed() {
			t.Fatalf("changes at step %d", at)
		}
	}
}

// stepFile calls step within each read of the slab.
type stepFile struct {
	File
	step func()
}

func (f stepFile) ReadAt(p []byte, off int64) (int, error) {
	half, err := f.File.ReadAt(p[:len(p)/2], off)
	if err != nil {
		return half, err
	}
	f.step()
	n, err := f.File.ReadAt(p[half:], off+int64(half))
	return half + n, err
}

func backupWithAChangeAt(t *testing.T, at int) (reached bool) {
	var w *backupWitness
	steps := -1 << 20 // nothing happens yet
	step := func() {
		steps++
		if again := steps - at; again > 0 && again < 5 { // perhaps what changed is being read
			if err := w.put(1, 70_010+again); err != nil {
				t.Error(err)
			}
		}
		if steps != at {
			return
		}
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
	w = newBackupWitness(t, func(name string, f File) File {
		if name != slabName {
			return f
		}
		return stepFile{f, step}
	})
	for user := range 6 {
		if err := w.put(user, 70_000); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.remove(5); err != nil {
		t.Fatal(err)
	}
	steps = 0
	var stream bytes.Buffer
	sum, err := w.s.Backup(t.Context(), writerFunc(func(p []byte) (int, error) {
		step()
		return stream.Write(p)
	}), BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if steps < at {
		if at < 12 {
			t.Errorf("%d steps in all", steps)
		}
		return false
	}
	asItCame := filepath.Join(t.TempDir(), "stream")
	if err := os.WriteFile(asItCame, stream.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, _ := restoreTest(t, asItCame, "")
	w.check(t, "", dir, sum, sum.Ended)
	file, _ := saveStream(t, &stream)
	dir, restored := restoreTest(t, file, "")
	w.check(t, file, dir, sum, sum.Ended)
	if restored.Missing > 0 || sum.Unreadable > 0 {
		t.Errorf("Backup = %+v, Restore = %+v, want nobody's picture missing: there was time for all", sum, restored)
	}
	return true
}

// Where pictures change faster than they can be written, those that change are left out, and no other.
func TestBackupOfWhatIsTooFast(t *testing.T) {
	f := &faults{}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for user := range 40 {
		mustPut(t, s, user, 70_000)
	}
	var stream bytes.Buffer
	b := s.newBackup(t.Context(), BackupOptions{})
	b.slack = -1 << 40
	sum, err := b.run(writerFunc(func(p []byte) (int, error) {
		if stream.Len() == 0 {
			for user := range 20 {
				mustPut(t, s, user, 70_001)
			}
			broken := false
			f.set(func(_ int, name, op string) (fails bool) {
				fails = name == slabName && op == "write" && !broken
				broken = broken || fails
				return fails
			})
			if _, err := s.Put(context.Background(), upload(30, 70_001)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Put = %v, want %v", err, storage.ErrUnavailable) // a receipt of somebody whose picture stays
			}
		}
		return stream.Write(p)
	}))
	if err != nil || sum.Changed != 21 || sum.Missing != 21 {
		t.Errorf("Backup = %+v, %v, want 21 changed and left out", sum, err)
	}
	file, _ := saveStream(t, &stream)
	dir, restored := restoreTest(t, file, "")
	if restored.Pictures != 20 || restored.Missing != 20 {
		t.Errorf("Restore = %+v, want 20 pictures, 20 missing", restored)
	}
	again := openTest(t, dir)
	for user := 20; user < 40; user++ {
		if p, err := again.Get(t.Context(), testKey(user), testOrg); err != nil || !bytes.Equal(p.Data, upload(user, 70_000).Picture.Data) {
			t.Errorf("Get(%d) = %d bytes, %v, want the picture that did not change", user, len(p.Data), err)
		}
	}
}
