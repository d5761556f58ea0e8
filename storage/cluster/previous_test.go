package cluster

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage"
)

// Statements of the program before, which knows nothing of ends, with literals in place of most arguments: user and organisation are $1 and $2.
const (
	previousAddOrganizationOf = `
INSERT INTO organization (id, created_at)
SELECT $2, now()
 WHERE NOT EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE p.id = $1 AND NOT p.removed)
   AND NOT EXISTS (SELECT FROM organization WHERE id = $2 AND NOT removed)
    ON CONFLICT (id) DO UPDATE SET removed = false, created_at = excluded.created_at WHERE organization.removed`

	previousAddPerson = `
WITH o AS MATERIALIZED (SELECT id FROM organization WHERE id = $2 AND NOT removed FOR KEY SHARE)
INSERT INTO person (iid, id, org, sequence, created_at, changed_at)
SELECT i.iid, $1, o.id, 1, now(), now() FROM issuer i, o
 WHERE NOT EXISTS (SELECT FROM person p WHERE p.iid = i.iid AND p.id = $1 AND NOT p.removed)
    ON CONFLICT (id, iid) DO UPDATE SET removed = false, org = excluded.org, sequence = person.sequence + 1,
       created_at = excluded.created_at, changed_at = greatest(person.changed_at, excluded.changed_at)
       WHERE person.removed AND person.claim IS NULL`

	previousMove = `
WITH o AS MATERIALIZED (SELECT id FROM organization WHERE id = $2 AND NOT removed FOR KEY SHARE),
 p AS MATERIALIZED (SELECT p.uid, p.org FROM o, person p WHERE p.id = $1 AND NOT p.removed AND p.claim IS NULL AND p.org <> $2 FOR UPDATE OF p)
UPDATE person SET org = $2, sequence = person.sequence + 1 FROM p WHERE person.uid = p.uid`

	previousIntend = `
WITH p AS MATERIALIZED (
   SELECT p.uid, p.gen, p.version, p.org FROM person p WHERE p.id = $1 AND p.org = $2 AND NOT p.removed AND p.claim IS NULL AND p.gen IS NOT NULL FOR UPDATE OF p),
 u AS (
   UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = p.gen, sequence = person.sequence + 1
     FROM p WHERE person.uid = p.uid)
INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due)
SELECT gen, uid, 3, 1, version, nextval('receipt_number'), now(), now() FROM p`

	previousDone = `
WITH d AS (DELETE FROM work WHERE uid = (SELECT uid FROM person WHERE id = $1 AND org = $2) RETURNING gen, uid, reason, n, begun_at)
INSERT INTO receipt (gen, uid, reason, n, begun_at, erased_at) SELECT gen, uid, reason, n, begun_at, clock_timestamp() FROM d`

	previousTakeOff            = `UPDATE person SET removed = true, sequence = sequence + 1 WHERE id = $1 AND org = $2 AND gen IS NULL`
	previousRemoveOrganization = `UPDATE organization SET removed = true WHERE id = $2 AND NOT removed AND NOT EXISTS (SELECT FROM person WHERE org = $2 AND NOT removed) AND $1 <> ''`
)

// withEnds makes a user who has ended, an organisation that has, and one that is ending, of which it returns a user with a picture.
func withEnds(t *testing.T, s *Store) (stays storage.UserKey) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	eraseUser(t, s, addUser(t, s, "gone"))
	stays = storage.UserKey{Issuer: "https://issuer.test", ID: "stays"}
	_, _, err := s.AddUser(t.Context(), stays, "ending", by)
	must(err)
	up := uploadOf(stays, 500)
	up.Organization = "ending"
	_, err = s.Put(t.Context(), up)
	must(err)
	for _, org := range []string{"ended", "ending"} {
		_, err = s.AddOrganization(t.Context(), org, by)
		must(err)
		_, err = s.EndOrganization(t.Context(), org, by)
		must(err)
	}
	_, err = s.RemoveOrganization(t.Context(), "ended", by)
	must(err)
	addUser(t, s, "mover")
	return stays
}

// The program before, beside this one, brings nothing back that has ended and lets nobody into an organisation that is ending: those calls fail.
// Its deletes and its removals go on.
func TestPreviousBesideEnds(t *testing.T) {
	o := options(t, true)
	s, conn := openStore(t, o), sql(t, o)
	stays := withEnds(t, s)
	for _, c := range []struct{ name, sql, user, org string }{
		{"registration of a user who has ended", previousAddPerson, "gone", acme},
		{"registration in an organisation that is ending", previousAddPerson, "new", "ending"},
		{"registration of an organisation that has ended", previousAddOrganizationOf, "new", "ended"},
		{"move into an organisation that is ending", previousMove, "mover", "ending"},
	} {
		_, err := conn.Exec(t.Context(), c.sql, c.user, c.org)
		if pg := new(pgconn.PgError); !errors.As(err, &pg) || pg.Code != "23514" || mayPass(err) {
			t.Errorf("%s = %v, want a violation of a rule", c.name, err)
		}
	}
	wantStates(t, s, map[string]storage.RegistrationState{"ending": storage.Ending, "ended": storage.Ended})
	for _, c := range []struct {
		name, sql, user, org string
		rows                 int64
	}{
		{"registration of somebody", previousAddPerson, "new", acme, 1},
		{"registration of a user who is there", previousAddPerson, "stays", "ending", 0},
		{"intent", previousIntend, "stays", "ending", 1},
		{"end of an erasure", previousDone, "stays", "ending", 1},
		{"removal of a user", previousTakeOff, "stays", "ending", 1},
		{"removal of an organisation", previousRemoveOrganization, "-", "ending", 1},
	} {
		tag, err := conn.Exec(t.Context(), c.sql, c.user, c.org)
		if err != nil || tag.RowsAffected() != c.rows {
			t.Errorf("%s = %d rows, %v, want %d", c.name, tag.RowsAffected(), err, c.rows)
		}
	}
	wantStates(t, s, map[string]storage.RegistrationState{"ending": storage.Ended, "ended": storage.Ended})
	page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{User: stays})
	if err != nil || len(page.Receipts) != 1 || page.Receipts[0].Organization != "ending" || page.Receipts[0].By != (storage.Origin{}) {
		t.Errorf("receipts of its erasure: %+v, %v, want one in the organisation of the user, by nobody known", page.Receipts, err)
	}
	if _, err := s.EraseUser(t.Context(), storage.Removal{User: stays, AnyOrganization: true, By: by}); !errors.Is(err, storage.ErrUserNotFound) {
		t.Errorf("EraseUser of somebody it has removed = %v, want %v", err, storage.ErrUserNotFound)
	}
}

func wantStates(t *testing.T, s *Store, want map[string]storage.RegistrationState) {
	t.Helper()
	for org, state := range want {
		if got, err := s.OrganizationState(t.Context(), org); err != nil || got != state {
			t.Errorf("OrganizationState(%s) = %v, %v, want %v", org, got, err, state)
		}
	}
}

// A store that the program before has made is brought forward: who was removed is so, nobody has ended, and its receipts are listed.
func TestPreviousStoreIsBroughtForward(t *testing.T) {
	o := options(t, true)
	conn := sql(t, o)
	if _, err := migrate(t.Context(), conn, migrations[:1], nil); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(t.Context(), `
INSERT INTO issuer (url, folder) VALUES ('https://issuer.test', 'https://issuer.test');
INSERT INTO organization (id, created_at, removed) VALUES ('`+acme+`', now(), false), ('left', now(), true);
INSERT INTO person (iid, id, org, sequence, created_at, changed_at, removed, receipt) VALUES
  (1, 'there', '`+acme+`', 1, now(), now(), false, NULL), (1, 'removed', '`+acme+`', 3, now(), now(), true, decode(md5('r'), 'hex'));
INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at) VALUES (1, decode(md5('r'), 'hex'), 2, 1, now(), now())`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	var bucketID string
	if err := conn.QueryRow(t.Context(), `SELECT encode(bucket_id, 'hex') FROM installation`).Scan(&bucketID); err != nil {
		t.Fatal(err)
	}
	putObject(t, o.Bucket.Bucket, "avatard-installation", bucketID)
	s := openStore(t, o)
	wantStates(t, s, map[string]storage.RegistrationState{acme: storage.Registered, "left": storage.Removed})
	users, err := s.ListUsers(t.Context(), storage.UserQuery{})
	if err != nil || len(users.Users) != 1 || users.Users[0].User.ID != "there" {
		t.Errorf("ListUsers = %+v, %v, want one", users, err)
	}
	removed := storage.UserKey{Issuer: "https://issuer.test", ID: "removed"}
	page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{Organization: acme})
	if err != nil || len(page.Receipts) != 1 || page.Receipts[0].User != removed || page.Receipts[0].By != (storage.Origin{}) {
		t.Errorf("ListReceipts = %+v, %v, want that of %v", page, err, removed)
	}
	if _, created, err := s.AddUser(t.Context(), removed, acme, by); err != nil || !created {
		t.Errorf("AddUser of somebody who was removed = %v, %v, want true", created, err)
	}
	if _, err := s.AddOrganization(t.Context(), "left", by); err != nil {
		t.Errorf("AddOrganization of one that was removed = %v", err)
	}
}
