package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
	"example.org/avatard/storage/storagetest/memory"
)

// export returns a backup of a store.
func exportOf(t *testing.T, s *Store, o storage.ExportOptions) (file []byte, sum storage.ExportSummary) {
	t.Helper()
	var out bytes.Buffer
	sum, err := backup.Write(t.Context(), s, &out, o)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), sum
}

// restored is an engine of another kind with what a backup holds.
func restored(t *testing.T, file []byte) storage.Engine {
	t.Helper()
	m := memory.New("")
	place := m.Place("restored")
	if _, err := backup.Restore(t.Context(), place, backup.RestoreOptions{Backup: backup.StreamName, Stream: bytes.NewReader(file)}); err != nil {
		t.Fatal(err)
	}
	e, err := place.Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A backup of this engine is one that another engine takes: everybody is there, with their pictures, and nobody with one that was erased.
func TestBackupGoesIntoAnotherEngine(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	want := map[storage.UserKey]string{}
	for i := range 2*exportPage + 3 {
		u := addUser(t, s, fmt.Sprintf("user %03d", i))
		if want[u] = ""; i%40 == 7 {
			want[u] = put(t, s, u)
		}
		if i%80 == 7 {
			remove(t, s, u)
			want[u] = ""
		}
	}
	gone := addUser(t, s, "gone")
	if _, err := s.EraseUser(t.Context(), removalOf(gone)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddOrganization(t.Context(), "empty", by); err != nil {
		t.Fatal(err)
	}
	s.RecordRefusal(storage.Refusal{By: by, Organization: "\x00\xff", Action: "Remove", Reason: "AUTH-5mWD2"})
	file, sum := exportOf(t, s, storage.ExportOptions{})
	if sum.Users != int64(len(want)) || sum.Pictures != 3 || sum.Receipts != 4 {
		t.Errorf("summary: %+v", sum)
	}
	e := restored(t, file)
	for u, generation := range want {
		a, err := s.Stat(t.Context(), u, acme)
		b, errThere := e.Stat(t.Context(), u, acme)
		if err != nil || errThere != nil || a != b || a.Generation != generation {
			t.Errorf("%s: %+v, %v; restored: %+v, %v", u.ID, a, err, b, errThere)
		}
		if generation == "" {
			continue
		}
		if p, err := e.Get(t.Context(), u, acme); err != nil || len(p.Data) != 3000 {
			t.Errorf("%s: restored: %d bytes, %v", u.ID, len(p.Data), err)
		}
	}
	if _, err := e.Stat(t.Context(), gone, acme); !errors.Is(err, storage.ErrUserNotFound) {
		t.Errorf("a user who was removed: %v", err)
	}
	if has, err := e.HasOrganization(t.Context(), "empty"); err != nil || !has {
		t.Errorf("an organisation without users: %v, %v", has, err)
	}
}

// Receipts go on from a backup, those of erasures included that were only begun.
func TestReceiptsGoOn(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u, v := addUser(t, s, "u"), addUser(t, s, "v")
	put(t, s, u)
	put(t, s, v)
	remove(t, s, u)
	full, sum := exportOf(t, s, storage.ExportOptions{})
	at := endOf(t, full)
	if sum.Pictures != 1 || at.Receipt != 1 {
		t.Fatalf("backup: %+v, ends at %+v", sum, at)
	}
	o.Bucket.Transport.(*breakable).broken.Store(true)
	if _, err := s.Remove(t.Context(), removalOf(v)); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("Remove that cannot erase = %v", err)
	}
	o.Bucket.Transport.(*breakable).broken.Store(false)
	newer, sum := exportOf(t, s, storage.ExportOptions{ReceiptsOnly: true, Since: &at})
	if sum.Receipts != 1 || !sum.Since.Equal(at.Ended) {
		t.Errorf("receipts: %+v, want one since %v", sum, at.Ended)
	}
	e := restoredWith(t, full, newer)
	if _, err := e.Get(t.Context(), v, acme); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("a picture that was about to be erased: %v", err)
	}
	remove(t, s, v)
	for _, other := range []storage.ExportPosition{
		{Store: at.Store, Generation: "00000000000000000000000000000000", Receipt: 1, Ended: at.Ended},
		{Store: "00000000000000000000000000000000", Generation: at.Generation, Receipt: 1, Ended: at.Ended},
		{Store: at.Store, Generation: at.Generation, Receipt: 99, Ended: at.Ended},
	} {
		var out bytes.Buffer
		if _, err := backup.Write(t.Context(), s, &out, storage.ExportOptions{ReceiptsOnly: true, Since: &other}); !errors.Is(err, storage.ErrCannotGoOn) {
			t.Errorf("going on from %+v = %v, want %v", other, err, storage.ErrCannotGoOn)
		}
	}
}

func endOf(t *testing.T, file []byte) storage.ExportPosition {
	t.Helper()
	at, err := backup.End(fileOf(t, file))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func fileOf(t *testing.T, data []byte) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// meddling is a store of which each record that is exported is shown to a function.
type meddling struct {
	*Store
	see func(storage.Record)
}

func (m meddling) Export(ctx context.Context, o storage.ExportOptions, to func(storage.Record) error) error {
	return m.Store.Export(ctx, o, func(record storage.Record) error {
		m.see(record)
		return to(record)
	})
}

// What is erased while a backup is made does not come back with it, and what stays is in it.
func TestBackupBesideErasures(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	var users []storage.UserKey
	for i := range 8 {
		users = append(users, addUser(t, s, fmt.Sprint("user-", i)))
		put(t, s, users[i])
	}
	n := 0
	m := meddling{s, func(record storage.Record) {
		if _, ok := record.(storage.PictureRecord); ok {
			if n++; n == 4 { // of two whose pictures are written, and two whose are not
				remove(t, s, users[0])
				put(t, s, users[1])
				remove(t, s, users[6])
				put(t, s, users[7])
			}
		}
	}}
	var out bytes.Buffer
	if _, err := backup.Write(t.Context(), m, &out, storage.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	e := restored(t, out.Bytes())
	for _, u := range users {
		a, err := s.Stat(t.Context(), u, acme)
		b, errThere := e.Stat(t.Context(), u, acme)
		if err != nil || errThere != nil || a != b {
			t.Errorf("%s: %+v, %v; restored: %+v, %v", u.ID, a, err, b, errThere)
		}
	}
}

// An export waits for a transaction that has a receipt's number and has not ended: its receipt would be missing for ever.
func TestExportWaitsForNumbersThatWereGiven(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u, v := addUser(t, s, "u"), addUser(t, s, "v")
	put(t, s, u)
	put(t, s, v)
	tx, err := sql(t, o).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), `
		WITH p AS MATERIALIZED (SELECT uid, gen, version FROM person WHERE id = 'u' FOR UPDATE),
		 u AS (UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = p.gen, sequence = sequence + 1 FROM p WHERE person.uid = p.uid)
		INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due) SELECT gen, uid, 3, 1, version, nextval('receipt_number'), now(), now() FROM p`)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, s, v) // with the next number
	ended := make(chan storage.ExportSummary, 1)
	go func() {
		var out bytes.Buffer
		sum, err := backup.Write(t.Context(), s, &out, storage.ExportOptions{ReceiptsOnly: true})
		if err != nil {
			t.Error(err)
		}
		ended <- sum
	}()
	awaitQuery(t, o, "%pg_snapshot_xmin%")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sum := <-ended; sum.Receipts != 2 {
		t.Errorf("the export has %d receipts, want 2", sum.Receipts)
	}
}

// momentTracer counts how often it was asked whether transactions have ended.
type momentTracer struct{ asked atomic.Int64 }

func (m *momentTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if strings.Contains(d.SQL, "pg_snapshot_xmin") {
		m.asked.Add(1)
	}
	return ctx
}

func (m *momentTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// It waits also for one that began behind the one with the newest number, of which the snapshot in which that one has ended knows nothing.
func TestExportWaitsForTransactionsThatBeganLater(t *testing.T) {
	t.Parallel()
	o, moments := options(t, false), new(momentTracer)
	o.tracer = moments
	s := openStore(t, o)
	tx := numberInFlight(t, s, o)
	ended := make(chan int, 1)
	go func() {
		_, _, receipts, err := exportedEnd(t.Context(), s, storage.ExportOptions{ReceiptsOnly: true})
		if err != nil {
			t.Error(err)
		}
		ended <- receipts
	}()
	for moments.asked.Load() < 10 {
		select {
		case receipts := <-ended:
			t.Fatalf("the export has ended, with %d receipts", receipts)
		default:
			runtime.Gosched()
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if receipts := <-ended; receipts != 2 {
		t.Errorf("the export has %d receipts, want 2", receipts)
	}
}

// awaitQuery returns when a connection of the store's database has sent a query like that.
func awaitQuery(t *testing.T, o Options, like string) {
	t.Helper()
	conn := sql(t, o)
	for seen := 0; seen == 0; {
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1`, like).Scan(&seen)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// restoredWith is restored, with newer receipts.
func restoredWith(t *testing.T, file, receipts []byte) storage.Engine {
	t.Helper()
	place := memory.New("").Place("restored")
	_, err := backup.Restore(t.Context(), place, backup.RestoreOptions{Backup: backup.StreamName, Stream: bytes.NewReader(file), Receipts: []string{fileOf(t, receipts)}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := place.Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
