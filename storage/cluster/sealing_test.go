package cluster

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// marks returns how far sealing has come.
func (l *sealed) marks() (mark int64, late []int64) {
	l.t.Helper()
	if err := l.conn.QueryRow(l.t.Context(), `SELECT mark, late FROM receipt_head`).Scan(&mark, &late); err != nil {
		l.t.Fatal(err)
	}
	return mark, late
}

// inBackground makes looks of the background, one more than the mark needs.
func (l *sealed) inBackground() {
	l.t.Helper()
	for range 3 {
		if err := l.s.sealInBackground(l.t.Context()); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *sealed) wantMarks(when string, mark int64, late ...int64) {
	l.t.Helper()
	if m, list := l.marks(); m != mark || !slices.Equal(list, late) {
		l.t.Errorf("%s: the mark is at %d, with %v, want %d, %v", when, m, list, mark, late)
	}
}

// wantSealed demands a sound log of that many receipts, and of no others.
func (l *sealed) wantSealed(when string, receipts, unsealed int64) {
	l.t.Helper()
	report, err := l.s.VerifyReceipts(l.t.Context(), l.heads)
	if err != nil || report.Receipts != receipts || report.Unsealed != unsealed {
		l.t.Errorf("%s: %+v, %v, want %d receipts, %d unsealed", when, report, err, receipts, unsealed)
	}
}

// An erasure that cannot be finished does not keep those behind it from the log, nor the mark from going on, and comes into it as soon as it is
// finished. When all is sealed, a look costs one statement and writes nothing.
func TestErasureThatTakesLong(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 0)
	b := l.o.Bucket.Transport.(*breakable)
	u, v := addUser(t, l.s, "u"), addUser(t, l.s, "v")
	put(t, l.s, u)
	b.broken.Store(true)
	if _, err := l.s.Remove(t.Context(), removalOf(u)); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("Remove without the bucket = %v", err)
	}
	b.broken.Store(false)
	for range 2 {
		put(t, l.s, v)
		remove(t, l.s, v)
	}
	if size := l.head(); size != 2 {
		t.Errorf("the log has %d receipts, want 2", size)
	}
	l.inBackground()
	l.wantMarks("one erasure is not done", 3, 1)
	put(t, l.s, v)
	remove(t, l.s, v)
	l.inBackground()
	l.wantMarks("with another receipt", 4, 1)
	l.wantSealed("one erasure is not done", 3, 0)
	remove(t, l.s, u)
	l.wantSealed("it is done", 3, 1)
	if size := l.head(); size != 4 {
		t.Errorf("the log has %d receipts, want 4", size)
	}
	l.inBackground()
	l.wantMarks("it is sealed", 4)
	l.wantSealed("it is sealed", 4, 0)
	before := l.rowVersion()
	l.inBackground()
	if after := l.rowVersion(); after != before {
		t.Error("a look with nothing to do wrote to the head")
	}
}

// rowVersion changes with each change of the head's row.
func (l *sealed) rowVersion() (version string) {
	l.t.Helper()
	if err := l.conn.QueryRow(l.t.Context(), `SELECT xmin::text FROM receipt_head`).Scan(&version); err != nil {
		l.t.Fatal(err)
	}
	return version
}

// sqlIntendOf intends to erase the picture of a user, as a delete does.
const sqlIntendOf = `
WITH p AS MATERIALIZED (SELECT uid, gen, version FROM person WHERE id = $1 FOR UPDATE),
 u AS (UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = p.gen, sequence = sequence + 1 FROM p WHERE person.uid = p.uid)
INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due) SELECT gen, uid, 3, 1, version, nextval('receipt_number'), now(), now() FROM p`

// numberInFlight gives the lower one of two numbers to a transaction that has not ended, which began behind the one with the higher number: the
// snapshot in which that one has just ended knows nothing of it.
func numberInFlight(t *testing.T, s *Store, o Options) pgx.Tx {
	t.Helper()
	put(t, s, addUser(t, s, "lower"))
	put(t, s, addUser(t, s, "higher"))
	txs := make([]pgx.Tx, 2)
	for i := range txs {
		tx, err := sql(t, o).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
			t.Fatal(err)
		}
		txs[i] = tx
	}
	for i, id := range []string{"lower", "higher"} {
		if _, err := txs[1-i].Exec(t.Context(), sqlIntendOf, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := txs[0].Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return txs[1]
}

// The mark waits for a transaction that has a lower number and has not ended.
func TestMarkWaitsForNumbersThatWereGiven(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 0)
	tx := numberInFlight(t, l.s, l.o)
	user := func(id string) storage.UserKey { return storage.UserKey{Issuer: "https://issuer.test", ID: id} }
	remove(t, l.s, user("higher"))
	l.inBackground()
	l.wantMarks("a lower number is on its way", 0)
	l.wantSealed("a lower number is on its way", 1, 0)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.inBackground()
	l.wantMarks("it has come, and is not done", 2, 1)
	remove(t, l.s, user("lower"))
	l.inBackground()
	l.wantMarks("it is done", 2)
	l.wantSealed("it is done", 2, 0)
}

// addReceipts puts receipts on record as a program of before leaves them: without an organisation.
func (l *sealed) addReceipts(from, to int) {
	l.t.Helper()
	l.run(fmt.Sprintf(`INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at) SELECT i, decode(md5(i::text), 'hex'), 1, 1, now(), now() FROM generate_series(%d, %d) i`, from, to))
}

// Several processes seal thousands of receipts at once, by pages: each receipt gets one place, and each head is the past of the next.
func TestProcessesSealAtOnce(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 0)
	addUser(t, l.s, "u")
	stores := []*Store{l.s, openStore(t, l.o), openStore(t, l.o)}
	l.addReceipts(1, 2*sealPage+10)
	var wg sync.WaitGroup
	heads := make([]storage.SignedHead, len(stores))
	for i, s := range stores {
		wg.Go(func() {
			var err error
			if heads[i], err = s.ReceiptHead(t.Context()); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := s.sealInBackground(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, signed := range heads {
		head, err := receiptlog.OpenHead([]byte(signed.Text), signed.Key)
		if err != nil || head.Size != 2*sealPage+10 {
			t.Errorf("a head of %d receipts, %v, want all", head.Size, err)
		}
		l.heads = append(l.heads, signed.Text)
	}
	l.wantSealed("in the end", 2*sealPage+10, 0)
	l.inBackground()
	l.wantMarks("in the end", 2*sealPage+10)
}

// Each round trip of a call that seals fails once, before its effect or behind it with the answer lost. The next call goes on from there:
// every receipt has one place, and no head is taken back.
func TestFaultOfEachStepOfSealing(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 1)
	o, trips := l.o, new(cutTrips)
	trips.inFrontOf(t, &o)
	o.Connections = 1
	s := openStore(t, o)
	s.sweeping()
	receipts := 2
	l.addReceipts(receipts, receipts)
	for _, after := range []bool{false, true} {
		for n, hit := 1, true; hit; n++ {
			if _, err := s.ReceiptHead(t.Context()); err != nil { // there is a connection, with its statements
				t.Fatal(err)
			}
			receipts++
			l.addReceipts(receipts, receipts)
			trips.arm(n, after)
			signed, err := s.ReceiptHead(t.Context())
			if hit = trips.disarm(); hit && err == nil {
				t.Errorf("after its effect %v: fault %d gave no error", after, n)
			}
			if err == nil {
				l.heads = append(l.heads, signed.Text)
			}
			if size := l.head(); size != int64(receipts) {
				t.Errorf("after its effect %v, fault %d: the log has %d receipts, want %d", after, n, size, receipts)
			}
			if !hit && n < 5 {
				t.Errorf("only %d steps", n-1)
			}
		}
	}
	l.wantSealed("in the end", int64(receipts), 0)
}
