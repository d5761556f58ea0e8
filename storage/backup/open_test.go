package backup

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
)

// beginning returns a file's head and first record.
func beginning(t *testing.T, store storage.StoreRecord) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(store), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

var errReadOn = errors.New("more than the first record was read")

// readsOn is the rest of a stream that must not be read.
type readsOn struct{}

func (readsOn) Read([]byte) (int, error) { return 0, errReadOn }

// A stream that does not belong to the files is refused at its first record. Files that do not belong together are refused before the
// stream is read at all.
func TestRestoreRefusesAStreamAtItsBeginning(t *testing.T) {
	one, two := storage.StoreRecord{ID: [16]byte{1}}, storage.StoreRecord{ID: [16]byte{2}}
	receipts, others := one, two
	receipts.ReceiptsOnly, others.ReceiptsOnly = true, true
	for _, tt := range []struct {
		title  string
		stream []byte
		file   storage.StoreRecord
		backup bool // whether the stream is the backup; else it is the receipts
		is     error
		want   string
	}{
		{"receipts in place of the backup", beginning(t, receipts), receipts, true, nil, "the stream holds receipts only"},
		{"a backup of another store than the receipts", beginning(t, two), receipts, true, storage.ErrOtherStore, ""},
		{"receipts of another store than the backup", beginning(t, others), one, false, storage.ErrOtherStore, "the stream"},
		{"a file of receipts in place of the backup", nil, receipts, false, nil, "holds receipts only"},
		{"something else", []byte("something else that is not a backup"), one, false, ErrNoBackup, "the stream"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(name, beginning(t, tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			opt := RestoreOptions{Backup: name, Receipts: []string{StreamName}, Stream: io.MultiReader(bytes.NewReader(tt.stream), readsOn{})}
			if tt.backup {
				opt.Backup, opt.Receipts = StreamName, []string{name}
			}
			_, err := Restore(t.Context(), memory.New("").Place(t.TempDir()), opt)
			if err == nil || errors.Is(err, errReadOn) || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Restore = %v, want %v %q", err, tt.is, tt.want)
			}
		})
	}
}
