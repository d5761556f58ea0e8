package embedded

import (
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// A store that was restored from before a move, and went on without it, has users of both issuers in the end: those who were not to be
// moved then are not moved by a file that was thought lost, and stay apart.
func TestRestoreWithAMoveThatTheStoreNeverMade(t *testing.T) {
	const org = "another"
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	for i := range 2 {
		putAt(t, s, i, old, testOrg)
	}
	first, _ := saveTest(t, s, storage.ExportOptions{})
	mustMoveIssuer(t, s, old, newIssuer)
	mustRemoveAt(t, s, 0, newIssuer)
	lost, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	restored := func(full string, receipts ...string) *Store {
		t.Helper()
		dir := t.TempDir()
		if _, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: receipts}); err != nil {
			t.Fatal(err)
		}
		return openTest(t, dir)
	}
	on := restored(first)
	putAt(t, on, 1, newIssuer, org)
	generation := generationAt(t, on, 1, newIssuer, org)
	full, _ := saveTest(t, on, storage.ExportOptions{})
	mustRemoveAt(t, on, 1, old)
	newest, _ := saveTest(t, on, storage.ExportOptions{ReceiptsOnly: true})

	r := restored(full, newest, lost)
	wantClean(t, r)
	wantPerson(t, r, 0, old, testOrg, "")
	wantPerson(t, r, 1, old, testOrg, "")
	wantPerson(t, r, 1, newIssuer, org, generation)
}
