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

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// busyCallers change pictures until stop is closed.
type busyCallers struct {
	w              *backupWitness
	users, callers int
	stop           chan struct{}
	changes        atomic.Int64
	changed        chan struct{} // holds a token when changes has grown
}

// run is one of them. It changes pictures of its own share of the users, half of whom stay as they are, and now and then of a new user.
func (b *busyCallers) run(t *testing.T, caller int) {
	random := rand.New(rand.NewPCG(1, uint64(caller)))
	for n := 0; ; n++ {
		select {
		case <-b.stop:
			return
		default:
		}
		user := caller + b.callers*random.IntN(b.users/b.callers/2)
		if n%8 == 0 {
			user = 10_000 + caller + b.callers*n
		}
		var err error
		if random.IntN(3) == 0 {
			err = b.w.remove(user)
		} else {
			err = b.w.put(user, 300+random.IntN(12_000))
		}
		b.changes.Add(1)
		select {
		case b.changed <- struct{}{}:
		default:
		}
		if err != nil {
			t.Errorf("user %d: %v", user, err)
			return
		}
	}
}

// A backup runs while many callers put, replace and remove pictures of a few hundred users, and new users come all the time. A restored
// store has a state that was true during the backup; with later receipts, pictures deleted by then are gone, too.
func TestBackupUnderChurn(t *testing.T) {
	const users, callers = 240, 12
	w := newBackupWitness(t, nil)
	for user := range users {
		if user%5 > 0 {
			if err := w.put(user, 300+user*40); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := busyCallers{w: w, users: users, callers: callers, stop: make(chan struct{}), changed: make(chan struct{}, 1)}
	var busy sync.WaitGroup
	for caller := range callers {
		busy.Go(func() { b.run(t, caller) })
	}
	type made struct {
		name string
		sum  storage.ExportSummary
	}
	var backups []made
	for range 3 {
		var stream bytes.Buffer
		_, err := backup.Write(t.Context(), w.s, writerFunc(func(p []byte) (int, error) {
			for until := b.changes.Load() + 10; b.changes.Load() < until && !t.Failed(); { // or it would be over before anything happens
				<-b.changed
			}
			return stream.Write(p)
		}), storage.ExportOptions{})
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
	close(b.stop)
	busy.Wait()
	later, receipts := saveTest(t, w.s, storage.ExportOptions{ReceiptsOnly: true})
	for i, b := range backups {
		t.Run(fmt.Sprint("backup ", i), func(t *testing.T) {
			dir, _ := restoreTest(t, b.name, "")
			w.check(t, b.name, dir, b.sum, b.sum.Ended)
			dir, _ = restoreTest(t, b.name, later)
			w.check(t, b.name, dir, b.sum, receipts.Ended)
		})
	}
}

// Before each write of a backup, and within each of its reads of a picture, pictures are removed, replaced, and uploaded and removed by
// new users. Pictures are as large as what is written at once.
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

// changeMuch changes users of whom a backup has written some: pictures are removed, replaced, and uploaded and removed by new users.
func changeMuch(t *testing.T, w *backupWitness) {
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

// backupWithAChangeAt reports whether the backup has a step of that number.
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
		if steps == at {
			changeMuch(t, w)
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
	sum, err := backup.Write(t.Context(), w.s, writerFunc(func(p []byte) (int, error) {
		step()
		return stream.Write(p)
	}), storage.ExportOptions{})
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
	w, err := backup.NewWriter(writerFunc(func(p []byte) (int, error) {
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
				t.Errorf("Put = %v, want %v", err, storage.ErrUnavailable) // a receipt of a user whose picture stays
			}
		}
		return stream.Write(p)
	}))
	if err != nil {
		t.Fatal(err)
	}
	b := s.newExport(t.Context(), storage.ExportOptions{}, w.Write)
	b.slack = -1 << 40
	err = errors.Join(b.run(), w.Flush())
	if sum := b.totals; err != nil || sum.Changed != 21 || sum.Missing != 21 {
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
