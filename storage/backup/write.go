package backup

import (
	"context"
	"fmt"
	"io"

	"example.org/avatard/storage"
)

// Write writes a backup of an open store to w, while the store serves, and returns what is in it. storage.Keeper.Export describes what it
// holds and when it ends; the errors are those of Export and of w.
//
// A picture that is erased after its bytes went to w is still in that stream, together with its receipt; [Save] takes it out of
// the file. Readers refuse a stream without its end.
func Write(ctx context.Context, store storage.Keeper, w io.Writer, opt storage.ExportOptions) (sum storage.ExportSummary, err error) {
	out, err := NewWriter(w)
	if err != nil {
		return sum, fmt.Errorf("backup: %w", err)
	}
	var first storage.StoreRecord
	var last storage.EndRecord
	err = store.Export(ctx, opt, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.StoreRecord:
			first = r
		case storage.EndRecord:
			last = r
		}
		return out.Write(record)
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return sum, fmt.Errorf("backup: %w", err)
	}
	return summary(first, last, out.offset), nil
}
