package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// writeThen calls a function behind the first write that holds some bytes.
type writeThen struct {
	io.Writer
	bytes []byte
	then  func()
}

func (w *writeThen) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if w.then != nil && bytes.Contains(p, w.bytes) {
		w.then()
		w.then = nil
	}
	return n, err
}

// The receipt of a picture that is erased while a backup copies its bytes is in the backup, and no restore brings the picture back.
func TestCopyBackup(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 8 {
		mustPut(t, s, i, 200_000)
	}
	first, err := s.Get(t.Context(), testKey(0), testOrg)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		_, err := backup.Write(context.Background(), s, &writeThen{w, first.Data[100_000:100_100], func() { mustRemove(t, s, 0) }}, storage.ExportOptions{})
		w.CloseWithError(err)
	}()
	var out bytes.Buffer
	sum, late, err := backup.Copy(&out, r, nil)
	if err != nil || !late || sum.Bytes != int64(out.Len()) {
		t.Fatalf("Copy = %+v, late %v, %v", sum, late, err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	got, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: backup.StreamName, Stream: bytes.NewReader(out.Bytes())})
	if err != nil || got.Pictures != 7 {
		t.Errorf("Restore = %+v, %v, want 7 pictures", got, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, slabName))
	if err != nil || bytes.Contains(data, first.Data[100_000:100_100]) {
		t.Errorf("the picture was written (%v)", err)
	}
	if _, late, err := backup.Copy(io.Discard, bytes.NewReader(backupBytes(t, s, storage.ExportOptions{})), nil); err != nil || late {
		t.Errorf("Copy of a store that stands still = late %v, %v", late, err)
	}
}

// A writer that takes nothing, and a stream with a fault, are errors, and the bytes written until then are not a valid backup.
func TestCopyBackupFails(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 8 {
		mustPut(t, s, i, 200_000)
	}
	whole := backupBytes(t, s, storage.ExportOptions{})
	errFull := errors.New("full")
	if _, _, err := backup.Copy(writerFunc(func([]byte) (int, error) { return 0, errFull }), bytes.NewReader(whole), nil); !errors.Is(err, errFull) {
		t.Errorf("Copy to a writer that fails = %v", err)
	}
	for _, cut := range []int{1, len(whole) / 2, len(whole) - 1} {
		var out bytes.Buffer
		if _, _, err := backup.Copy(&out, bytes.NewReader(whole[:cut]), nil); !isBackupError(err) {
			t.Errorf("Copy of %d bytes = %v", cut, err)
		}
		if _, err := backup.Check(&out); err == nil {
			t.Errorf("of %d bytes a backup came out", cut)
		}
	}
}
