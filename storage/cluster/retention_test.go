package cluster

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// exportedEnd makes an export, and returns its first and its last record and how many receipts it has.
func exportedEnd(ctx context.Context, s *Store, o storage.ExportOptions) (store storage.StoreRecord, end storage.EndRecord, receipts int, err error) {
	err = s.Export(ctx, o, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.StoreRecord:
			store = r
		case storage.EndRecord:
			end = r
		case storage.ReceiptRecord:
			receipts++
		}
		return nil
	})
	return store, end, receipts, err
}

// Records that have reached their age go, all but each user's newest receipt, and an export says from when on it has all receipts. One that would
// go on from before that is refused.
func TestRetention(t *testing.T) {
	o := options(t, false)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), o, storage.OpenOptions{Now: func() time.Time { return now },
		Keep: storage.Retention{Changes: 100 * time.Hour, Refusals: 10 * time.Hour, RefusalRows: 2, Receipts: 50 * time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	k := keeping{t, s, sql(t, o)}
	u, other := addUser(t, s, "u"), addUser(t, s, "other")
	put(t, s, u)
	remove(t, s, u)
	store, end, _, err := exportedEnd(t.Context(), s, storage.ExportOptions{})
	if err != nil || end.Horizon != 0 {
		t.Fatalf("the first export: %+v, %v, want no horizon", end, err)
	}
	old := end.Position(store)
	put(t, s, u)
	remove(t, s, u)
	put(t, s, other)
	remove(t, s, other)
	k.refuse(3)
	k.prune()
	if n, m := k.count(`receipt`), k.count(`audit WHERE refusal`); n != 3 || m != 2 {
		t.Errorf("while they are young: %d receipts, %d refusals, want 3 and 2", n, m)
	}
	now = now.Add(51 * time.Hour)
	k.refuse(1)
	changes := k.count(`audit WHERE NOT refusal`)
	k.prune()
	if n := k.count(`receipt`); n != 2 {
		t.Errorf("%d receipts, want the newest one of each user", n)
	}
	if n, m := k.count(`audit WHERE refusal`), k.count(`audit WHERE NOT refusal`); n != 1 || m != changes {
		t.Errorf("%d refusals and %d changes, want 1 and %d", n, m, changes)
	}
	if st := s.Stats(); st.PrunedReceipts != 1 || st.PrunedRefusals != 3 || st.PrunedChanges != 0 {
		t.Errorf("counted: %d receipts, %d refusals, %d changes", st.PrunedReceipts, st.PrunedRefusals, st.PrunedChanges)
	}
	store, end, receipts, err := exportedEnd(t.Context(), s, storage.ExportOptions{})
	if at := now.Add(-51 * time.Hour).UnixMicro(); err != nil || end.Horizon != at+1 || receipts != 2 {
		t.Errorf("an export has %d receipts and the horizon %d, %v, want 2 and %d", receipts, end.Horizon, err, at+1)
	}
	if _, _, _, err := exportedEnd(t.Context(), s, storage.ExportOptions{ReceiptsOnly: true, Since: &old}); !errors.Is(err, storage.ErrReceiptsGone) {
		t.Errorf("an export that goes on from before = %v, want %v", err, storage.ErrReceiptsGone)
	}
	after := end.Position(store)
	if _, _, receipts, err := exportedEnd(t.Context(), s, storage.ExportOptions{ReceiptsOnly: true, Since: &after}); err != nil || receipts != 0 {
		t.Errorf("an export that goes on from there = %d receipts, %v", receipts, err)
	}
	put(t, s, u)
	remove(t, s, u)
	now = now.Add(101 * time.Hour)
	k.wantNewestOnly(u)
}

// Receipts lose their callers with the trail of that time, also one that came late, and keep the rest.
func TestRetentionOfCallers(t *testing.T) {
	o := options(t, false)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), o, storage.OpenOptions{Now: func() time.Time { return now }, Keep: storage.Retention{Changes: 100 * time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	k := keeping{t, s, sql(t, o)}
	u := addUser(t, s, "u")
	for range 2 {
		put(t, s, u)
		remove(t, s, u)
		now = now.Add(60 * time.Hour)
	}
	wantKnown := func(want ...bool) {
		t.Helper()
		k.prune()
		page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{User: u, Organization: acme})
		if err != nil || len(page.Receipts) != len(want) {
			t.Fatalf("ListReceipts = %+v, %v, want %d", page, err, len(want))
		}
		for i, r := range page.Receipts {
			if known := r.By == by; known != want[i] || !known && r.By != (storage.Origin{}) {
				t.Errorf("receipt %d: by %+v, want that known: %v", i, r.By, want[i])
			}
		}
	}
	wantKnown(true, false)
	if _, err := k.conn.Exec(t.Context(), `UPDATE receipt SET caller = 'late' WHERE n = 1`); err != nil {
		t.Fatal(err)
	}
	wantKnown(true, false)
	now = now.Add(60 * time.Hour)
	wantKnown(false, false)
}

// keeping is a store that removes old records.
type keeping struct {
	t    *testing.T
	s    *Store
	conn *pgx.Conn
}

func (k keeping) count(from string) (n int) {
	k.t.Helper()
	if err := k.conn.QueryRow(k.t.Context(), `SELECT count(*) FROM `+from).Scan(&n); err != nil {
		k.t.Fatal(err)
	}
	return n
}

// refuse returns when so many more refusals are on record.
func (k keeping) refuse(n int) {
	want := k.count(`audit WHERE refusal`) + n
	for range n {
		k.s.RecordRefusal(storage.Refusal{By: by, Action: "a", Reason: "r"})
	}
	for k.count(`audit WHERE refusal`) < want {
	}
}

func (k keeping) prune() {
	k.t.Helper()
	if err := k.s.prune(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

// wantNewestOnly demands that of records which are all old, the newest receipts of two users are left.
func (k keeping) wantNewestOnly(u storage.UserKey) {
	k.prune()
	if n, m := k.count(`receipt`), k.count(`audit`); n != 2 || m != 0 {
		k.t.Errorf("in the end %d receipts and %d records of the trail, want 2 and none", n, m)
	}
	if res := remove(k.t, k.s, u); res.Receipt == "" {
		k.t.Error("the newest receipt is gone")
	}
}

// Many records go in several transactions, and one process at a time removes them.
func TestRetentionOfMany(t *testing.T) {
	o := options(t, false)
	s, err := Open(t.Context(), o, storage.OpenOptions{Keep: storage.Retention{Changes: time.Hour, Refusals: time.Hour, RefusalRows: 100, Receipts: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	addUser(t, s, "u")
	conn := sql(t, o)
	for _, statement := range []string{
		`DELETE FROM audit`,
		`INSERT INTO audit (at, action, result, caller, caller_org, org, target, request, refusal)
			SELECT now() - interval '2 h', '', '', '', '', '', '', '', i % 2 = 0 FROM generate_series(1, 9000) i`,
		`INSERT INTO audit (at, action, result, caller, caller_org, org, target, request, refusal)
			SELECT now(), '', '', '', '', '', '', '', true FROM generate_series(1, 5000) i`,
		`INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at)
			SELECT i, decode(md5(i::text), 'hex'), 1, 1, now() - interval '2 h', now() FROM generate_series(1, 5000) i`,
		`UPDATE person SET receipt = (SELECT gen FROM receipt WHERE n = 17)`,
		`SELECT pg_advisory_lock(` + strconv.FormatInt(pruneLock, 10) + `)`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range [][2]int64{{14_000, 5000}, {100, 1}} {
		if err := s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		var audit, receipts int64
		if err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM receipt)`).Scan(&audit, &receipts); err != nil || audit != want[0] || receipts != want[1] {
			t.Errorf("%d records of the trail and %d receipts, %v, want %v", audit, receipts, err, want)
		}
		if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_unlock_all()`); err != nil {
			t.Fatal(err)
		}
	}
}

// A pass looks at so many receipts and no more, the next one goes on from there, and every one that may go does in the end.
func TestRetentionGoesOn(t *testing.T) {
	o := options(t, false)
	s, err := Open(t.Context(), o, storage.OpenOptions{Keep: storage.Retention{Receipts: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.prunePages = 1
	addUser(t, s, "u")
	k := keeping{t, s, sql(t, o)}
	for _, statement := range []string{
		`INSERT INTO person (iid, id, org, sequence, created_at, changed_at, receipt) SELECT 1, 'kept' || i, '` + acme + `', 1, now(), now(), decode(md5(i::text), 'hex')
			FROM generate_series(1, 5000) i`,
		`INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at) SELECT i, p.receipt, p.uid, 1, now() - interval '2 h', now()
			FROM generate_series(1, 5000) i JOIN person p ON p.id = 'kept' || i`,
		`INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at) SELECT 5000 + i, decode(md5('old' || i), 'hex'), 1, 1, now() - interval '2 h', now()
			FROM generate_series(1, 10) i`,
	} {
		if _, err := k.conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for pass, want := range []int{5010, 5010, 5000, 5000} {
		k.prune()
		if n := k.count(`receipt`); n != want {
			t.Errorf("pass %d leaves %d receipts, want %d", pass+1, n, want)
		}
	}
	if _, err := k.conn.Exec(t.Context(), `UPDATE person SET receipt = NULL WHERE id = 'kept7'`); err != nil { // as if by a newer one
		t.Fatal(err)
	}
	for range 3 {
		k.prune()
	}
	if n := k.count(`receipt`); n != 4999 {
		t.Errorf("%d receipts are left in the end, want 4999", n)
	}
}
