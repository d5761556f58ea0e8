package cluster

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// In a large store the indexes are made behind the migration, beside those who serve; one whose making was broken off is made again. A command
// that brings the schema forward returns when they are there.
func TestIndexesOfALargeStore(t *testing.T) {
	o := options(t, false)
	conn := sql(t, o)
	if _, err := migrate(t.Context(), conn, migrations[:1], nil); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(t.Context(), `
INSERT INTO issuer (url, folder) VALUES ('https://issuer.test', 'https://issuer.test');
INSERT INTO organization (id, created_at) VALUES ('`+acme+`', now());
INSERT INTO person (iid, id, org, sequence, created_at, changed_at) SELECT 1, 'user' || i, '`+acme+`', 1, now(), now() FROM generate_series(0, 20000) i`,
		pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	missing := func() int {
		t.Helper()
		statements, err := missingIndexes(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		return len(statements)
	}
	if _, err := migrate(t.Context(), conn, migrations, nil); err != nil {
		t.Fatal(err)
	}
	if want := 2*len(indexes) + 1; missing() != want {
		t.Errorf("%d statements are to be made behind the migration, want %d", missing(), want)
	}
	s := openStore(t, o)
	for missing() > 0 && t.Context().Err() == nil {
		addUser(t, s, "beside")
	}
	page, err := s.ListUsers(t.Context(), storage.UserQuery{Organization: acme})
	if err != nil || len(page.Users) != storage.MaxPage {
		t.Errorf("ListUsers = %d users, %v", len(page.Users), err)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'receipt_uid'::regclass`); err != nil {
		t.Fatal(err)
	}
	if missing() == 0 {
		t.Fatal("an index that is not valid counts as there")
	}
	if _, err := At(o).Migrate(t.Context(), nil); err != nil || missing() > 0 {
		t.Errorf("Migrate = %v and leaves %d statements to be made", err, missing())
	}
}
