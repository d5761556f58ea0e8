package embedded

import (
	"bytes"
	"os"
	"testing"

	"example.org/avatard/storage/backup"
)

// A file of the first version is read by every program after it: it was written by the first one, and stays as it is.
func TestBackupOfTheFirstVersion(t *testing.T) {
	data, err := os.ReadFile("../backup/testdata/backup-v1")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := backup.Check(bytes.NewReader(data))
	if err != nil || sum.Users != 4 || sum.Pictures != 3 || sum.Receipts != 2 {
		t.Errorf("Check = %+v, %v, want 4 users, 3 pictures, 2 receipts", sum, err)
	}
	dir, _ := restoreTest(t, "../backup/testdata/backup-v1", "../backup/testdata/receipts-v1")
	wantLittle(t, dir, "restored")
}
