package cluster

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A process that waited while another one made the schema sees it, although its session has found none before, in the same transaction.
func TestSchemaIsSeenBehindTheLock(t *testing.T) {
	o := options(t, true)
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), o.Database+" search_path=avatard")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	waiting, making := connect(), connect()
	tx, err := waiting.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the session answers from its caches
		if _, _, err := schemaVersion(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tx, err = waiting.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if there, err := schemaThere(t.Context(), tx); err != nil || there {
		t.Fatalf("schemaThere = %v, %v, want none yet", there, err)
	}
	if _, err := migrate(t.Context(), making, migrations, nil); err != nil {
		t.Fatal(err)
	}
	if version, _, err := schemaVersion(t.Context(), tx); err != nil || version != len(migrations) {
		t.Errorf("schemaVersion = %d, %v, want %d", version, err, len(migrations))
	}
}
