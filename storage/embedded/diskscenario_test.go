package embedded

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// diskScenario is a store whose disk goes wrong at one place.
type diskScenario struct {
	*testing.T
	at    int
	dir   string
	f     *faults
	bad   badSlots
	fault func(call int, name, op string) bool
	s     *Store // nil while it is closed
	// leave makes callers leave while the disk hangs, before it comes back.
	leave bool
}

func (d *diskScenario) open() {
	d.Helper()
	var err error
	if d.s, err = Open(context.Background(), Config{Dir: d.dir, WrapFile: d.wrap}); err != nil {
		d.Fatalf("place %d: Open = %v", d.at, err)
	}
}

func (d *diskScenario) wrap(name string, f File) File { return d.f.wrap(name, d.bad.wrap(name, f)) }

// try makes a change, and makes it once more, with the disk well again, if it was told that the store is unavailable.
func (d *diskScenario) try(what string, change func(context.Context) error, between func()) {
	d.Helper()
	err := d.wait(change)
	if err == nil {
		return
	}
	want := storage.ErrUnavailable
	if d.leave {
		want = context.Canceled
	}
	if !errors.Is(err, want) {
		d.Fatalf("place %d: %s = %v, want %v", d.at, what, err, want)
	}
	d.f.set(nil)
	if between != nil {
		between()
	}
	if err := change(context.Background()); err != nil {
		d.Fatalf("place %d: %s after the fault = %v", d.at, what, err)
	}
}

// wait makes a change. Should the disk hang, it comes back once the caller has left, or had no reason to.
func (d *diskScenario) wait(change func(context.Context) error) error {
	if d.f.mode != failHanging {
		return change(context.Background())
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- change(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-d.f.hanging:
	}
	if !d.leave {
		close(d.f.back)
		return <-answer
	}
	cancel()
	defer close(d.f.back)
	return <-answer
}

func (d *diskScenario) put(up storage.Upload) {
	d.Helper()
	d.try("Put", func(ctx context.Context) error { _, err := d.s.Put(ctx, up); return err }, nil)
	var got storage.Picture
	d.try("Get", func(ctx context.Context) (err error) { got, err = d.s.Get(ctx, up.User, testOrg); return err }, nil)
	if !bytes.Equal(got.Data, up.Picture.Data) {
		d.Fatalf("place %d: Get = %d bytes after an acknowledged upload of %d", d.at, len(got.Data), len(up.Picture.Data))
	}
}

// remove deletes what user has, which is data.
func (d *diskScenario) remove(user int, data []byte) (res storage.Result) {
	d.Helper()
	d.try("Remove", func(ctx context.Context) (err error) { res, err = d.s.Remove(ctx, removal(user)); return err }, func() {
		// The intent may or may not have become durable; what is there must be whole.
		if got, err := d.s.Get(context.Background(), testKey(user), testOrg); err == nil && !bytes.Equal(got.Data, data) ||
			err != nil && !errors.Is(err, storage.ErrNoPicture) {
			d.Fatalf("place %d: Get between = %v", d.at, err)
		}
	})
	if res.Receipt == "" {
		d.Errorf("place %d: no receipt", d.at)
	}
	d.none(user)
	return res
}

// none demands that user has no picture: the disk may say that it cannot tell, once.
func (d *diskScenario) none(user int) {
	d.Helper()
	d.try("Get", func(ctx context.Context) error {
		_, err := d.s.Get(ctx, testKey(user), testOrg)
		switch {
		case errors.Is(err, storage.ErrNoPicture):
			return nil
		case err == nil:
			return errors.New("a picture that was deleted")
		}
		return err
	}, nil)
}

func (d *diskScenario) lifetime() {
	first, second := upload(1, 5000), upload(1, 300)
	d.put(first)
	d.put(second)
	res := d.remove(1, second.Picture.Data)
	d.f.set(nil)
	d.sameAgain(1, res)
}

// sameAgain demands that another delete tells the same.
func (d *diskScenario) sameAgain(user int, res storage.Result) {
	d.Helper()
	again, err := d.s.Remove(context.Background(), removal(user))
	if err != nil || again != res {
		d.Errorf("place %d: Remove again = %+v, %v, want %+v", d.at, again, err, res)
	}
}

func (d *diskScenario) registration() {
	d.try("AddOrganization", func(ctx context.Context) error {
		_, err := d.s.AddOrganization(ctx, testOrg, testBy)
		return err
	}, nil)
	if has, err := d.s.HasOrganization(context.Background(), testOrg); !has || err != nil {
		d.Errorf("place %d: HasOrganization = %v, %v", d.at, has, err)
	}
	var res storage.Result
	d.try("AddUser", func(ctx context.Context) (err error) {
		res, _, err = d.s.AddUser(ctx, testKey(1), testOrg, testBy)
		return err
	}, nil)
	if res.Details.Sequence != 1 {
		d.Errorf("place %d: AddUser = %+v, want the first change", d.at, res)
	}
	d.none(1)
}

// leaveUndone leaves two deletes without their end, and an upload that could not even be given up.
func (d *diskScenario) leaveUndone() {
	ctx := context.Background()
	for user := range 3 {
		mustPut(d, d.s, user+1, 5000)
	}
	d.f.set(func(_ int, name, op string) bool { return name == slabName && op == "sync" })
	for user := range 2 {
		if _, err := d.s.Remove(ctx, removal(user+1)); !errors.Is(err, storage.ErrUnavailable) {
			d.Fatalf("Remove on a failing slab = %v", err)
		}
	}
	failing := false
	d.f.set(func(_ int, name, op string) bool {
		failing = failing || name == slabName && op == "sync"
		return failing
	})
	if _, err := d.s.Put(ctx, upload(3, 5100)); !errors.Is(err, storage.ErrUnavailable) {
		d.Fatalf("Put on a failing disk = %v", err)
	}
	if got := d.s.Stats(); got.Pending != 3 {
		d.Fatalf("%d erasures pending, want 3", got.Pending)
	}
}

// sweepAgain is a sweep on a disk that goes wrong, and one on a disk that does not.
func (d *diskScenario) sweepAgain() {
	sweepNow(d.s)
	d.unreadable()
	d.f.set(nil)
	d.unreadable()
	sweepNow(d.s)
}

// unreadable demands that what is to be erased is not read, however far that has come, and that what else was there is.
func (d *diskScenario) unreadable() {
	d.Helper()
	d.none(1)
	d.none(2)
	d.try("Get", func(ctx context.Context) error {
		got, err := d.s.Get(ctx, testKey(3), testOrg)
		if err == nil && !bytes.Equal(got.Data, upload(3, 5000).Picture.Data) {
			err = errors.New("another picture")
		}
		return err
	}, nil)
	ctx := context.Background()
	stuck := d.s.Stats().Pending
	if err := d.s.ErasuresDone(ctx); (err != nil) != (stuck > 0) {
		d.Errorf("place %d: ErasuresDone = %v with %d pending", d.at, err, stuck)
	}
}

// openAgain closes the store, whose disk does not work, and opens it on one that goes wrong: it may refuse, and then
// opens once the disk works.
func (d *diskScenario) openAgain() {
	d.f.set(func(int, string, string) bool { return true })
	_ = d.s.Close() // a failing disk may say so
	d.f.set(d.fault)
	var err error
	d.s, err = Open(context.Background(), Config{Dir: d.dir, WrapFile: d.wrap})
	if err != nil {
		if d.f.set(nil); !errors.Is(err, errDisk) && !errors.Is(err, sqlite3.IOERR) {
			d.Fatalf("place %d: Open = %v, want the disk's error", d.at, err)
		}
		d.open()
	}
	d.unreadable()
	d.f.set(nil)
	sweepNow(d.s)
}

// finished leaves an erasure that is done and not on record.
func (d *diskScenario) finished() {
	mustPut(d, d.s, 1, 5000)
	mustPut(d, d.s, 2, 5000)
	mustRemove(d, d.s, 1)
}

// closeAndOpen closes on a disk that goes wrong. Close may say so; what was acknowledged is there all the same.
func (d *diskScenario) closeAndOpen() {
	before, _, err := d.s.AddUser(context.Background(), testKey(1), testOrg, testBy)
	if err != nil {
		d.try("AddUser", func(ctx context.Context) (err error) {
			before, _, err = d.s.AddUser(ctx, testKey(1), testOrg, testBy)
			return err
		}, nil)
	}
	_ = d.s.Close()
	d.f.set(nil)
	d.open()
	d.none(1)
	d.sameAgain(1, before)
}

// checkpoints moves the log into the database in both ways, and lets it begin anew. Ready reports one that fails until one
// succeeds, and no caller is affected.
func (d *diskScenario) checkpoints() {
	for i, mode := range []sqlite3.CheckpointMode{sqlite3.CHECKPOINT_PASSIVE, sqlite3.CHECKPOINT_TRUNCATE} {
		var err error
		onCommitter(d.s, func() { err = d.s.checkpoint(mode) })
		told := d.s.faults.checkpoint.Load()
		if (err != nil) != (told != nil) {
			d.Errorf("place %d: checkpoint = %v, and Ready is to tell %v", d.at, err, told)
		}
		if ready := d.s.Ready(context.Background()); err != nil && !errors.Is(ready, storage.ErrUnavailable) {
			d.Errorf("place %d: Ready = %v after a checkpoint that failed with %v", d.at, ready, err)
		}
		d.put(upload(1, 700+i))
		d.remove(1, upload(1, 700+i).Picture.Data)
	}
}

// reserve fills the reserve, and lets a delete on a full disk have it, piece by piece.
func (d *diskScenario) reserve() {
	ctx := context.Background()
	onCommitter(d.s, d.s.space.small)
	fill := func() { onCommitter(d.s, d.s.regainRoom) }
	fill()
	d.put(upload(1, 800))
	if given := d.s.makeRoomNow(d); given {
		if err := d.s.RoomForUploads(ctx); err == nil {
			d.Errorf("place %d: RoomForUploads = nil while the reserve is in use", d.at)
		}
	}
	d.remove(1, upload(1, 800).Picture.Data)
	d.f.set(nil)
	fill()
	if err := d.s.RoomForUploads(ctx); err != nil || d.s.Stats().ReserveBytes != d.s.space.size {
		d.Errorf("place %d: RoomForUploads = %v, a reserve of %d bytes once the disk works", d.at, err, d.s.Stats().ReserveBytes)
	}
}

func (s *Store) makeRoomNow(testing.TB) (given bool) {
	onCommitter(s, func() { given = s.makeRoom() })
	return given
}

// badPage is a store with an upload to a page that cannot be written, shortly before its slot goes into quarantine.
func (d *diskScenario) badPage() {
	d.finished()
	d.bad.set(nextSlot(d.s, 5000))
	if _, err := d.s.Put(context.Background(), upload(3, 5000)); !errors.Is(err, storage.ErrUnavailable) {
		d.Fatalf("Put to a bad page = %v", err)
	}
	for range quarantineTries - 1 {
		sweepNow(d.s)
	}
	if got := d.s.Stats(); got.Stuck != 1 || got.Quarantined != 0 {
		d.Fatalf("%d stuck, %d in quarantine, want 1 and 0", got.Stuck, got.Quarantined)
	}
}

// quarantine puts the slot there. Its user is served again, and the slot is never given away, also after a restart.
func (d *diskScenario) quarantine() {
	sweepNow(d.s)
	if d.none(3); d.s.Stats().Quarantined == 0 {
		d.f.set(nil)
		for range quarantineTries {
			sweepNow(d.s)
		}
	}
	for restart := range 2 {
		if got := d.s.Stats(); got.Stuck != 0 || got.Quarantined != 1 {
			d.Errorf("place %d: %d stuck, %d in quarantine, want 0 and 1", d.at, got.Stuck, got.Quarantined)
		}
		for user := range 3 {
			d.put(upload(user+1, 4900+user))
		}
		d.remove(3, upload(3, 4902).Picture.Data)
		if restart == 0 {
			_ = d.s.Close()
			d.f.set(nil)
			d.open()
		}
	}
	d.bad.set()
}

// end demands, once the disk works again, that nothing is stuck and that, when all is deleted, no byte is left.
func (d *diskScenario) end() {
	d.Helper()
	ctx := context.Background()
	d.f.set(nil)
	sweepNow(d.s)
	onCommitter(d.s, func() { // the next try, ahead of its time
		if d.s.checkpoints.failed {
			d.s.checkpointIdle()
		}
	})
	if err := errors.Join(d.s.Ready(ctx), d.s.ErasuresDone(ctx)); err != nil {
		d.Errorf("place %d: %v once the disk works again", d.at, err)
	}
	if got := d.s.Stats(); got.Pending != 0 || got.OldestPending != 0 {
		d.Errorf("place %d: %d erasures pending once the disk works again", d.at, got.Pending)
	}
	for user := range 3 {
		if _, err := d.s.Remove(ctx, removal(user+1)); err != nil && !errors.Is(err, storage.ErrUserNotFound) {
			d.Errorf("place %d: Remove at the end = %v", d.at, err)
		}
	}
	if n := count(d, d.s, `SELECT count(*) FROM generation WHERE state <> 3`); n != 0 {
		d.Errorf("place %d: %d generations are not erased", d.at, n)
	}
	if err := d.s.Close(); err != nil {
		d.Errorf("place %d: Close = %v", d.at, err)
	}
	if _, err := os.Stat(filepath.Join(d.dir, slabName)); err == nil {
		checkEmptySlab(d.T, d.dir)
	}
	if err := os.RemoveAll(d.dir); err != nil {
		d.Error(err)
	}
}
