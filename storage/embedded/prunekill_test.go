package embedded

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// pruneKeep keeps little, for processes that are killed while they remove what is old.
var pruneKeep = storage.Retention{Changes: day, Refusals: day, RefusalRows: 3, Receipts: day}

// pruneClock is their clock. It stands still until it is moved.
var pruneClock steppedClock

type steppedClock struct{ ahead atomic.Int64 }

func (c *steppedClock) now() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.ahead.Load()))
}

// runPruning comes and goes with three users, three times, and after each time indexes and seals the receipts and removes what has become old. It tells of each picture that
// has come and gone.
func runPruning(ctx context.Context, s *Store, gone func()) error {
	for range 3 {
		for i := range 3 {
			for range 2 {
				if _, err := s.Put(ctx, upload(i, 300)); err != nil {
					return err
				}
			}
			if _, err := s.Remove(ctx, removal(i)); err != nil {
				return err
			}
			s.RecordRefusal(storage.Refusal{By: testBy, Action: "GET"})
			s.RecordRefusal(storage.Refusal{By: testBy, Action: "GET"})
			gone()
		}
		pruneClock.ahead.Add(int64(3 * day))
		if _, err := s.Put(ctx, upload(9, 300)); err != nil { // nothing of this is old
			return err
		}
		onCommitter(s, s.indexReceipts)
		if _, err := s.ReceiptHead(ctx); err != nil {
			return err
		}
		pruneAll(s)
	}
	return nil
}

// pruneAll takes steps until nothing is old.
func pruneAll(s *Store) {
	onCommitter(s, func() {
		for more := true; more; {
			s.prune()
			more = !s.pruning.next.After(time.Now())
		}
		s.pruning.next = time.Time{}
	})
}

// checkPruning opens what was left: it is sound, no deleted picture is back, every user has a newest receipt, and numbers go on.
func checkPruning(t *testing.T, dir string, at any, acknowledged int) {
	t.Helper()
	ctx := context.Background()
	s := openTest(t, dir)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("killed at %v: Ready = %v", at, err)
	}
	wantClean(t, s)
	newest := int64(0)
	if acknowledged > 0 {
		newest = count(t, s, `SELECT max(seq) FROM receipt`)
	}
	for i := range min(acknowledged, 3) {
		res, err := s.Remove(ctx, removal(i))
		if err != nil || res.Receipt == "" {
			t.Errorf("killed at %v after %d: Remove(%d) = %+v, %v, want a receipt", at, acknowledged, i, res, err)
		}
		if _, err := s.Get(ctx, testKey(i), testOrg); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("killed at %v: Get(%d) = %v", at, i, err)
		}
	}
	mustPut(t, s, 0, 400)
	mustPut(t, s, 0, 400)
	if next := count(t, s, `SELECT max(seq) FROM receipt`); next <= newest {
		t.Errorf("killed at %v: receipt %d follows %d", at, next, newest)
	}
	for _, r := range receiptsOf(t, s, storage.ReceiptQuery{}) {
		if got, err := s.Receipt(ctx, r.ID); err != nil || got != r {
			t.Errorf("killed at %v: Receipt(%s) = %+v, %v, want %+v", at, r.ID, got, err, r)
		}
	}
	if n := count(t, s, `SELECT count(*) FROM generation g WHERE receipt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM receipt WHERE seq = g.receipt)`); n > 0 {
		t.Errorf("killed at %v: %d slots refer to receipts that are gone", at, n)
	}
	wantClean(t, s)
	wantSound(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// wantSound demands that the log of receipts is as it was sealed, if there is one, and that of all receipts then begins with it.
func wantSound(t *testing.T, s *Store) {
	t.Helper()
	var noted []string
	report, err := s.VerifyReceipts(t.Context(), nil)
	switch {
	case err == nil:
		noted = append(noted, report.Head.Text)
	case !errors.Is(err, storage.ErrNotSealed):
		t.Errorf("VerifyReceipts = %v", err)
	}
	if _, err := s.ReceiptHead(t.Context()); err != nil {
		t.Errorf("ReceiptHead = %v", err)
	}
	if report, err = s.VerifyReceipts(t.Context(), noted); err != nil || report.Unsealed != 0 {
		t.Errorf("VerifyReceipts = %+v, %v once all is sealed", report, err)
	}
}

// A process is killed before each of its file operations in turn while it comes and goes and removes what is old.
func TestKilledWhilePruning(t *testing.T) {
	t.Parallel()
	_, operations := runKilled(t, t.TempDir(), "pruning", 0)
	if operations < 80 {
		t.Fatalf("%d file operations: the files are not watched", operations)
	}
	for at := 1; at <= operations; at += 3 {
		dir := t.TempDir()
		acknowledged, survived := runKilled(t, dir, "pruning", at)
		if survived > 0 {
			t.Fatalf("not killed at %d", at)
		}
		checkPruning(t, dir, at, acknowledged)
	}
}

// Whatever call of the disk fails while old records are removed, no picture and no newest receipt of a user is affected, and
// it is done once the disk is well.
func TestPruningEveryFault(t *testing.T) {
	t.Parallel()
	for _, mode := range []faultMode{failBefore, failAfter} {
		for call := 1; ; call++ {
			a := openAged(t, pruneKeep)
			a.f.mode = mode
			for i := range 3 {
				mustPut(t, a.Store, i, 300)
				mustPut(t, a.Store, i, 300)
				mustRemove(t, a.Store, i)
			}
			a.refuse(9)
			a.now = a.now.Add(3 * day)
			onCommitter(a.Store, func() { a.commitBatch(nil) })
			reached := false
			a.f.set(func(n int, _, _ string) bool { reached = reached || n == call; return n >= call })
			onCommitter(a.Store, a.Store.sealReceipts)
			onCommitter(a.Store, a.Store.prune)
			a.f.set(nil)
			if reached {
				if err := a.Ready(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("call %d: Ready = %v", call, err)
				}
				sweepNow(a.Store) // or the next change
				mustPut(t, a.Store, 9, 300)
			}
			a.prune()
			a.want(`SELECT uid, count(*) FROM receipt GROUP BY uid ORDER BY uid`, `"1" "1"`, `"2" "1"`, `"3" "1"`)
			a.want(`SELECT min(seq) FROM refusal`, `"9"`)
			a.clean()
			wantSound(t, a.Store)
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if !reached {
				if call < 2 {
					t.Error("the disk is not asked for anything")
				}
				break
			}
		}
	}
}
