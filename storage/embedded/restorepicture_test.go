package embedded

import (
	"errors"
	"io"
	"os"
	"testing"

	"example.org/avatard/storage"
)

// records is an export that no format has bounded.
type records []storage.Record

func (r records) Name() string                           { return "records" }
func (r records) Store() storage.StoreRecord             { return r[0].(storage.StoreRecord) }
func (r records) Records() (storage.RecordReader, error) { return &recordsReader{left: r[1:]}, nil }

type recordsReader struct{ left []storage.Record }

func (r *recordsReader) Next() (storage.Record, error) {
	if len(r.left) == 0 {
		return nil, io.EOF
	}
	next := r.left[0]
	r.left = r.left[1:]
	return next, nil
}

func (r *recordsReader) Read() (done, total int64)      { return 0, 0 }
func (r *recordsReader) Summary() storage.ExportSummary { return storage.ExportSummary{} }

// A picture that has no slot is damage, and nothing of it is left.
func TestImportRefusesPicturesOfNoSlot(t *testing.T) {
	for size, want := range map[int]error{0: storage.ErrExportDamaged, 1: nil, 1 << 20: nil, 1<<20 + 1: storage.ErrExportDamaged, 8 << 20: storage.ErrExportDamaged} {
		dir := t.TempDir()
		_, err := At(Config{Dir: dir}).Import(t.Context(), storage.ImportOptions{Export: records{
			storage.StoreRecord{ID: [16]byte{1}}, storage.IssuerRecord{Number: 1, URL: "i"}, storage.OrganizationRecord{ID: "o"},
			storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "o", Sequence: 2, Picture: storage.PictureFollows},
			storage.PictureRecord{Generation: [16]byte{2}, Format: storage.PNG, Data: make([]byte, size)},
		}})
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: Import = %v, want %v", size, err, want)
		}
		left, err := os.ReadDir(dir)
		if err != nil || want != nil && (len(left) > 1 || len(left) == 1 && left[0].Name() != "lock") {
			t.Errorf("%d bytes: %v is left, %v", size, left, err)
		}
	}
}
