package sqlitefs

import (
	"path/filepath"
	"testing"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// Temporary files are their owner's alone, and lie where the database does.
func TestTempFile(t *testing.T) {
	dir := t.TempDir()
	f, err := openTemp(datadir.At(dir))
	if err != nil {
		t.Fatal(err)
	}
	file := f.(*tempFile).File.(datadir.OSFile)
	if info, err := file.Stat(); err != nil || info.Mode().Perm() != 0o600 || filepath.Dir(file.Name()) != dir {
		t.Errorf("%s has mode %v, %v", file.Name(), info.Mode(), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, TempName+"*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}
