package cluster

import (
	"errors"
	"net/http"
	"runtime"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// An answer of the database from before an organisation was removed is not remembered after it: here no false yes is ever given.
func TestOrganizationRemovedMeanwhile(t *testing.T) {
	s := openStore(t, options(t, false))
	if _, err := s.AddOrganization(t.Context(), "org", by); err != nil {
		t.Fatal(err)
	}
	_, asked := s.orgs.known("org") // and the database says yes
	if removed, err := s.RemoveOrganization(t.Context(), "org", by); err != nil || !removed {
		t.Fatalf("RemoveOrganization = %v, %v", removed, err)
	}
	s.orgs.learn("org", asked)
	if has, err := s.HasOrganization(t.Context(), "org"); err != nil || has {
		t.Errorf("HasOrganization = %v, %v, want false", has, err)
	}
}

// Notes that cannot be recorded are counted, and the next one that can stands for them and for those that they stood for.
func TestRefusalsThatCannotBeRecorded(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	conn := sql(t, o)
	run := func(statement string) {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run(`ALTER TABLE audit RENAME TO away`)
	s.RecordRefusal(storage.Refusal{By: by, Action: "a", Reason: "r", Dropped: 41})
	for s.notes.dropped.Load() == 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	run(`ALTER TABLE away RENAME TO audit`)
	s.RecordRefusal(storage.Refusal{By: by, Action: "b", Reason: "r", Dropped: 1})
	for {
		list, err := refusalsOf(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			continue
		}
		if len(list) != 1 || list[0].Action != "b" || list[0].Dropped != 43 {
			t.Errorf("on record: %+v, want one that stands for 43 others", list)
		}
		return
	}
}

// Somebody is registered while an issuer's users are given to another: neither waits for the other for ever.
func TestMoveIssuerBesideRegistration(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	tx, err := sql(t, o).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), sqlAddIssuer, "https://third.test"); err != nil {
		t.Fatal(err)
	}
	moved := make(chan error, 1)
	go func() {
		_, err := s.MoveIssuer(t.Context(), u.Issuer, "https://second.test", by)
		moved <- err
	}()
	awaitLock(t, o)
	if _, err := tx.Exec(t.Context(), `INSERT INTO person (iid, id, org, sequence, created_at, changed_at) SELECT iid, 'v', $1, 1, now(), now() FROM issuer WHERE url = 'https://third.test'`, acme); err != nil {
		t.Errorf("a registration beside MoveIssuer: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-moved; err != nil {
		t.Errorf("MoveIssuer = %v", err)
	}
}

// A warning at the commit, such as that of a wait for a standby that somebody has ended, is a failure of the change.
func TestWarningAtCommit(t *testing.T) {
	t.Parallel() // it waits most of the time
	o := options(t, false)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	_, err := sql(t, o).Exec(t.Context(), `
		CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), removalOf(u)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Remove = %v, want %v", err, storage.ErrUnavailable)
	}
	if _, err := s.MoveIssuer(t.Context(), u.Issuer, "https://second.test", by); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("MoveIssuer = %v, want %v", err, storage.ErrUnavailable)
	}
	if _, err := s.AddOrganization(t.Context(), "org", by); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("AddOrganization = %v, want %v", err, storage.ErrUnavailable)
	}
}

// Nothing is stored for a claim that may be over.
func TestNothingIsStoredTooLate(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	u := begunUpload(t, s, "u")
	if after := time.Now().Add(putLimit); u.until.IsZero() || u.until.After(after) {
		t.Errorf("storing has to end at %v, want it not later than %v", u.until, after)
	}
	u.until = time.Now()
	o.Bucket.Transport.(*breakable).script = func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut && r.Context().Err() == nil {
			t.Error("the bucket is asked to store a picture")
		}
		return nil
	}
	if _, err := u.store(t.Context()); err == nil {
		t.Error("a picture was stored for a claim that may be over")
	}
	if _, err := s.Get(t.Context(), u.up.User, acme); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get = %v, want %v", err, storage.ErrNoPicture)
	}
}

// An export has no connection while a record is written, which takes as long as its reader takes; and the reader's error stays what it is.
func TestExportHasNoConnectionWhileItWrites(t *testing.T) {
	s := openStore(t, options(t, false))
	s.sweeping() // it takes connections, too
	put(t, s, addUser(t, s, "u"))
	err := s.Export(t.Context(), storage.ExportOptions{}, func(r storage.Record) error {
		if n := s.pool.Stat().AcquiredConns(); n > 0 {
			t.Errorf("%d connections are taken while %T is written", n, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	err = s.Export(t.Context(), storage.ExportOptions{}, func(r storage.Record) error {
		if _, last := r.(storage.AuditRecord); last {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Export whose reader fails = %v, want that error alone", err)
	}
}
