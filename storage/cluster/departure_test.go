package cluster

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// begins calls a function before a statement is sent.
type begins func(statement string)

func (b begins) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	b(data.SQL)
	return ctx
}

func (begins) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func record(t *testing.T, o Options, d storage.Departure) {
	t.Helper()
	if err := depart(t.Context(), sql(t, o), d); err != nil {
		t.Fatal(err)
	}
}

func wantDeparture(t *testing.T, o Options, want storage.Departure) {
	t.Helper()
	if d, err := At(o).Departure(t.Context()); err != nil || d != want {
		t.Errorf("Departure = %+v, %v, want %+v", d, err, want)
	}
}

// A departure whose caller goes before it is known that nobody else is connected is not on record, neither its beginning nor a later step.
func TestDepartThatIsGivenUp(t *testing.T) {
	o := options(t, false)
	if err := openStore(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ before, next storage.Departure }{
		{storage.Departure{}, storage.Departure{To: "there"}},
		{storage.Departure{To: "there"}, storage.Departure{To: "there", Gone: true}},
	} {
		if c.before.To != "" {
			record(t, o, c.before)
		}
		ctx, cancel := context.WithCancel(t.Context())
		traced, wrote := o, false
		traced.tracer = begins(func(statement string) {
			switch {
			case len(statement) > 6 && statement[:6] == "INSERT":
				wrote = true
			case statement == sqlOthers && wrote:
				cancel()
			}
		})
		if err := At(traced).Depart(ctx, c.next); !errors.Is(err, context.Canceled) {
			t.Errorf("Depart = %v, want %v", err, context.Canceled)
		}
		wantDeparture(t, o, c.before)
	}
}

// A server that was not connected when a move began is not served any more, is not ready, and says why.
func TestServerOfAStoreThatMoves(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	record(t, o, storage.Departure{To: "there"})
	s.pool.Reset()
	_, got := s.Get(t.Context(), u, acme)
	_, put := s.Put(t.Context(), uploadOf(u, 100))
	_, removed := s.Remove(t.Context(), removalOf(u))
	for _, err := range []error{got, put, removed, s.Ready(t.Context())} {
		if !errors.Is(err, storage.ErrMoved) || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%v, want %v and %v", err, storage.ErrMoved, storage.ErrUnavailable)
		}
	}
}

// A store is not taken for erased while an erasure is left to be done. What is on record of a move never becomes less, nor another place.
func TestDepartErased(t *testing.T) {
	t.Parallel() // it waits most of the time
	o := options(t, true)
	s, err := Open(t.Context(), o, storage.OpenOptions{Moving: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	put(t, s, addUser(t, s, "u"))
	s.sweeping()
	for _, statement := range []string{
		`INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due)
			SELECT gen, uid, 3, 1, version, nextval('receipt_number'), now(), now() FROM person`,
		`UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = gen`,
	} {
		if _, err := sql(t, o).Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	gone, erased := storage.Departure{To: "there", Gone: true}, storage.Departure{To: "there", Gone: true, Erased: true}
	record(t, o, gone)
	if err := At(o).Depart(t.Context(), erased); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Depart with an erasure that is not done = %v, want %v", err, storage.ErrUnavailable)
	}
	wantDeparture(t, o, gone)
	if err := errors.Join(s.sweepOnce(t.Context()), At(o).Depart(t.Context(), erased), At(o).Depart(t.Context(), storage.Departure{To: "there"})); err != nil {
		t.Error(err)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
	wantDeparture(t, o, erased)
	if err := At(o).Depart(t.Context(), storage.Departure{To: "elsewhere"}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("Depart to another place = %v, want %v", err, storage.ErrMoved)
	}
	if _, err := Open(t.Context(), o, storage.OpenOptions{Moving: true}); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("a second move = %v, want %v", err, storage.ErrInUse)
	}
}

// A commit that the database server warned of does not count, neither of a record of a move nor of its end.
func TestWarningsDuringAMove(t *testing.T) {
	t.Parallel() // it waits most of the time
	o := options(t, true)
	a := arrive(t, o)
	defer func() { _ = a.Close() }()
	warn := func(table string) {
		for _, statement := range []string{`CREATE OR REPLACE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'not safe'; RETURN NULL; END $$`,
			`CREATE TRIGGER warn AFTER INSERT OR UPDATE ON ` + table + ` EXECUTE FUNCTION warn()`} {
			if _, err := sql(t, o).Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	warn("schema_version")
	for range 2 { // the second time it is done, and no more safe than before
		if err := a.Finish(t.Context()); err == nil {
			t.Error("Finish with a warning = nil")
		}
	}
	if _, err := sql(t, o).Exec(t.Context(), `DROP TRIGGER warn ON schema_version`); err != nil {
		t.Fatal(err)
	}
	if err := a.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	began := storage.Departure{To: "there"}
	record(t, o, began)
	warn("departure")
	if err := At(o).Depart(t.Context(), storage.Departure{To: "there", Gone: true}); err == nil {
		t.Error("Depart with a warning = nil")
	}
	wantDeparture(t, o, began)
}
