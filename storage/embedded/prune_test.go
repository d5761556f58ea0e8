package embedded

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
)

const day = 24 * time.Hour

// aged is a store whose clock is the test's.
type aged struct {
	*Store
	t   *testing.T
	dir string
	now time.Time
	cfg Config
	f   *faults
}

func openAged(t *testing.T, keep storage.Retention) *aged {
	a := &aged{t: t, dir: t.TempDir(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), f: &faults{}}
	a.cfg = Config{Dir: a.dir, Keep: keep, Now: func() time.Time { return a.now }, WrapFile: a.f.wrap}
	a.open()
	t.Cleanup(func() { _ = a.Store.Close() })
	return a
}

func (a *aged) open() {
	a.t.Helper()
	s, err := Open(context.Background(), a.cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	a.Store = s
	onCommitter(a.Store, func() { s.pruning.next = time.Time{} }) // steps are the test's
}

func (a *aged) reopen() {
	a.t.Helper()
	if err := a.Close(); err != nil {
		a.t.Error(err)
	}
	a.open()
}

// prune takes steps until nothing is left to do, and returns how many rows each removed.
func (a *aged) prune() (steps []int64) {
	a.t.Helper()
	for more := true; more; {
		onCommitter(a.Store, func() {
			before := a.Stats()
			a.Store.prune()
			after := a.Stats()
			more = !a.pruning.next.IsZero() && !a.pruning.next.After(time.Now())
			steps = append(steps, int64(after.PrunedChanges+after.PrunedRefusals+after.PrunedReceipts-before.PrunedChanges-before.PrunedRefusals-before.PrunedReceipts))
			a.pruning.next = time.Time{}
		})
		if err := a.Ready(context.Background()); err != nil {
			a.t.Fatalf("Ready = %v", err)
		}
	}
	return steps
}

func (a *aged) rows(sql string) (rows []string) {
	a.t.Helper()
	if err := a.look(func(db *database) error { rows = rowsOf(a.t, db.conn, sql); return nil }); err != nil {
		a.t.Fatal(err)
	}
	return rows
}

func (a *aged) want(sql string, want ...string) {
	a.t.Helper()
	if diff := cmp.Diff(want, a.rows(sql)); diff != "" {
		a.t.Errorf("%s (-want +got):\n%s", sql, diff)
	}
}

// clean checks that a check of the store finds nothing.
func (a *aged) clean() {
	a.t.Helper()
	_, err := a.Check(context.Background(), storage.CheckOptions{}, func(f storage.Finding) error {
		a.t.Errorf("found %+v", f)
		return nil
	})
	if err != nil {
		a.t.Error(err)
	}
}

func (a *aged) refuse(n int) {
	for i := range n {
		a.RecordRefusal(storage.Refusal{By: testBy, Action: "GET", Reason: fmt.Sprint(i)})
		if i%maxRefusals == maxRefusals-1 || i == n-1 {
			onCommitter(a.Store, func() { a.commitBatch(nil) })
		}
	}
}

// Records go at their age and not before, the newest of each table stays, and numbers go on where they were.
func TestRetentionOfTheAuditTrail(t *testing.T) {
	a := openAged(t, storage.Retention{Changes: 400 * day, Refusals: 30 * day})
	mustPut(t, a.Store, 1, 100) // three records: organisation... and upload
	a.refuse(3)
	first := len(a.rows(`SELECT * FROM audit`))
	a.now = a.now.Add(20 * day)
	mustPut(t, a.Store, 1, 100)
	a.refuse(2)
	a.now = a.now.Add(10*day + time.Second) // the first refusals are old
	a.prune()
	a.want(`SELECT seq FROM refusal`, `"4"`, `"5"`)
	a.want(`SELECT count(*) FROM audit`, fmt.Sprintf(`"%d"`, first+1))
	a.now = a.now.Add(1000 * day)
	a.prune()
	a.want(`SELECT seq FROM refusal`, `"5"`)
	a.want(`SELECT seq FROM audit`, fmt.Sprintf(`"%d"`, first+1))
	a.reopen()
	mustPut(t, a.Store, 1, 100)
	a.refuse(1)
	a.want(`SELECT max(seq) FROM refusal`, `"6"`)
	a.want(`SELECT max(seq) FROM audit`, fmt.Sprintf(`"%d"`, first+2))
	a.clean()
}

// Nothing goes of what is kept for ever, whatever its age.
func TestRetentionForEver(t *testing.T) {
	a := openAged(t, storage.Retention{})
	mustPut(t, a.Store, 1, 100)
	mustRemove(t, a.Store, 1)
	mustPut(t, a.Store, 1, 100)
	mustRemove(t, a.Store, 1)
	a.refuse(2)
	before := a.rows(`SELECT * FROM audit UNION ALL SELECT * FROM refusal`)
	a.now = a.now.Add(200 * 365 * day)
	a.prune()
	if pruneEvery(storage.Retention{}) != 0 {
		t.Error("somebody looks for what to remove")
	}
	if diff := cmp.Diff(before, a.rows(`SELECT * FROM audit UNION ALL SELECT * FROM refusal`)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	a.want(`SELECT seq FROM receipt`, `"1"`, `"2"`)
}

// A flood of refusals is bounded in rows, the oldest go first, and no transaction is longer than it may be.
func TestRefusalsAreBoundedInNumber(t *testing.T) {
	a := openAged(t, storage.Retention{RefusalRows: 1000})
	a.refuse(5000)
	steps := a.prune()
	for _, n := range steps {
		if n > pruneRows {
			t.Errorf("%d rows in one transaction, limit %d", n, pruneRows)
		}
	}
	if len(steps) < 2 {
		t.Errorf("steps %v, want several", steps)
	}
	a.want(`SELECT min(seq), max(seq), count(*) FROM refusal`, `"4001" "5000" "1000"`)
	a.refuse(10)
	a.prune()
	a.want(`SELECT min(seq), max(seq), count(*) FROM refusal`, `"4011" "5010" "1000"`)
}

// A clock that was ahead for a while does not keep what is written afterwards from growing old.
func TestRetentionAfterAClockThatWasAhead(t *testing.T) {
	a := openAged(t, storage.Retention{Refusals: 30 * day})
	a.refuse(2)
	right := a.now
	a.now = right.Add(3650 * day)
	a.refuse(2)
	a.now = right.Add(time.Hour)
	a.refuse(3)
	a.now = right.Add(31 * day)
	a.prune()
	a.want(`SELECT seq FROM refusal`, `"3"`, `"4"`, `"7"`)
	a.now = right.Add(3700 * day)
	a.prune()
	a.want(`SELECT seq FROM refusal`, `"7"`)
}

// Receipts are removed at their age, except the newest one of each user. The rest is consistent: it can be checked, used and added to.
func TestRetentionOfReceipts(t *testing.T) {
	a := openAged(t, storage.Retention{Receipts: 3 * 365 * day})
	for range 4 { // users 1 and 2 come and go, 3 once
		for i := 1; i <= 2; i++ {
			mustPut(t, a.Store, i, 100)
			mustRemove(t, a.Store, i)
		}
		a.now = a.now.Add(day)
	}
	mustPut(t, a.Store, 3, 100)
	mustRemove(t, a.Store, 3)
	newest, err := a.Remove(t.Context(), removal(1))
	if err != nil || newest.Receipt == "" {
		t.Fatalf("Remove = %+v, %v", newest, err)
	}
	a.want(`SELECT horizon FROM store`, `"0"`)
	a.now = a.now.Add(3*365*day - 2*day) // the first two group commits are old
	a.prune()
	a.want(`SELECT seq, uid FROM receipt`, `"5" "1"`, `"6" "2"`, `"7" "1"`, `"8" "2"`, `"9" "3"`)
	second := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	a.want(`SELECT pruned, horizon FROM store`, fmt.Sprintf(`"4" "%d"`, second.UnixMicro()+1))
	a.clean()
	a.now = a.now.Add(3650 * day)
	a.prune()
	a.want(`SELECT seq, uid FROM receipt`, `"7" "1"`, `"8" "2"`, `"9" "3"`)
	a.clean()
	if again, err := a.Remove(t.Context(), removal(1)); err != nil || again.Receipt != newest.Receipt {
		t.Errorf("Remove = %+v, %v, want receipt %s", again, err, newest.Receipt)
	}
	// A later one takes what was kept along, when it has grown old itself.
	mustPut(t, a.Store, 1, 100)
	mustRemove(t, a.Store, 1)
	a.prune()
	a.want(`SELECT seq, uid, previous FROM receipt WHERE uid = 1`, `"7" "1" "5"`, `"10" "1" "7"`)
	a.now = a.now.Add(3650 * day)
	a.prune()
	a.want(`SELECT seq, uid, previous FROM receipt WHERE uid = 1`, `"10" "1" "7"`)
	a.clean()
	a.reopen()
	for i := 1; i <= 3; i++ { // slots whose rows went along are given away again
		mustPut(t, a.Store, i, 100)
		if _, err := a.Get(t.Context(), testKey(i), testOrg); err != nil {
			t.Error(err)
		}
		mustRemove(t, a.Store, i)
	}
	a.want(`SELECT max(seq) FROM receipt`, `"13"`)
	a.clean()
}

// While an erasure is not on record nothing at or above it goes.
func TestRetentionWaitsForErasures(t *testing.T) {
	a := openAged(t, storage.Retention{Receipts: day})
	mustPut(t, a.Store, 1, 100)
	mustRemove(t, a.Store, 1)
	mustPut(t, a.Store, 1, 100)
	a.f.set(func(_ int, name, op string) bool { return name == slabName && op == "write" })
	if _, err := a.Remove(t.Context(), removal(1)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Remove = %v", err)
	}
	a.f.set(nil)
	for range 2 {
		mustPut(t, a.Store, 3, 5000)
		mustRemove(t, a.Store, 3)
	}
	a.now = a.now.Add(3650 * day)
	a.prune()
	a.want(`SELECT seq, uid FROM receipt`, `"2" "1"`, `"3" "2"`, `"4" "2"`)
	sweepNow(a.Store)
	mustPut(t, a.Store, 1, 100) // with it goes on record what was swept
	a.prune()
	a.want(`SELECT seq, uid FROM receipt`, `"2" "1"`, `"4" "2"`)
	a.clean()
}

// Many receipts go in steps of a bounded length.
func TestRetentionInSteps(t *testing.T) {
	a := openAged(t, storage.Retention{Receipts: day, Changes: day})
	for range 40 {
		each(40, 40, func(i int) { mustPut(t, a.Store, i, 100) })
	}
	a.now = a.now.Add(3 * day)
	steps := a.prune()
	for _, n := range steps {
		if n > pruneRows {
			t.Errorf("%d rows in one transaction", n)
		}
	}
	if len(steps) < 3 {
		t.Errorf("%d steps", len(steps))
	}
	a.want(`SELECT count(*) FROM receipt`, `"40"`)
	a.want(`SELECT count(*) FROM audit`, `"1"`)
	a.clean()
}

// A backup of a store some of whose receipts were pruned is whole: every user with a receipt is in it.
func TestBackupOfPrunedReceipts(t *testing.T) {
	a := openAged(t, storage.Retention{Receipts: day})
	for range 3 {
		for i := range 5 {
			mustPut(t, a.Store, i, 100)
			mustRemove(t, a.Store, i)
		}
	}
	a.now = a.now.Add(3 * day)
	a.prune()
	a.want(`SELECT count(*) FROM receipt WHERE previous IS NOT NULL`, `"5"`)
	full, _ := saveTest(t, a.Store, storage.ExportOptions{})
	receipts, sum := saveTest(t, a.Store, storage.ExportOptions{ReceiptsOnly: true})
	if sum.Receipts != 5 {
		t.Errorf("%+v, want 5 receipts", sum)
	}
	dir, restored := restoreTest(t, full, receipts)
	if restored.Users != 5 || restored.Receipts != 5 {
		t.Errorf("Restore = %+v", restored)
	}
	again := &aged{Store: openTest(t, dir), t: t}
	again.clean()
}

// A slot out of use, and what says so, stays whatever the age of its receipt.
func TestRetentionKeepsQuarantine(t *testing.T) {
	a := openAged(t, storage.Retention{Receipts: day})
	mustPut(t, a.Store, 1, 100)
	mustRemove(t, a.Store, 1)
	mustPut(t, a.Store, 1, 100)
	mustRemove(t, a.Store, 1)
	onCommitter(a.Store, func() { a.commitBatch(nil) })
	err := a.look(func(db *database) error { // as if its zeros could never be written, and it was an upload that was given up
		return db.conn.Exec(`DROP TRIGGER quarantine_of_abandoned; DROP TRIGGER generation_slot_reuse; DROP TRIGGER receipt_stays; UPDATE receipt SET reason = 3 WHERE seq = 1;
			UPDATE generation SET receipt = 1, id = (SELECT generation FROM receipt WHERE seq = 1) WHERE slot = (SELECT min(slot) FROM generation);
			INSERT INTO quarantine SELECT min(slot), 1, 5 FROM generation`)
	})
	if err != nil {
		t.Fatal(err)
	}
	a.now = a.now.Add(3650 * day)
	mustPut(t, a.Store, 2, 5000)
	for range 2 {
		a.prune()
		a.want(`SELECT seq FROM receipt`, `"1"`, `"2"`)
		a.want(`SELECT receipt FROM generation WHERE slot = (SELECT slot FROM quarantine)`, `"1"`)
		a.now = a.now.Add(3650 * day)
	}
}
