package embedded

import (
	"encoding/hex"
	"fmt"

	"example.org/avatard/storage"
)

// goOn notes that the backup goes on from another one, if the store does.
func (b *export) goOn(db *database, since storage.ExportPosition) error {
	if since.Store != hex.EncodeToString(b.store.ID[:]) {
		return fmt.Errorf("%w: it is of another store", storage.ErrCannotGoOn)
	}
	b.store.Since, b.store.SinceTime = since.Receipt, since.Ended.UnixMicro()
	b.receipt = since.Receipt
	if since.Receipt == 0 {
		return nil
	}
	pruned, is := int64(0), false
	err := db.once(`SELECT pruned, (SELECT generation FROM receipt WHERE seq = ?1) FROM store`, func(row backupRow) bool {
		pruned, b.generation = row.ColumnInt64(0), scanID(row, 1)
		is = hex.EncodeToString(b.generation[:]) == since.Generation
		return true
	}, since.Receipt)
	switch {
	case err != nil:
		return err
	case pruned > since.Receipt || pruned == since.Receipt && !is:
		return fmt.Errorf("%w; write one with all receipts", storage.ErrReceiptsGone)
	case !is: // numbers are the store's own, and it has been restored
		return fmt.Errorf("%w: it was restored meanwhile, or that backup is of before a restore; write one with all receipts", storage.ErrCannotGoOn)
	}
	return nil
}
