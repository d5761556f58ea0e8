package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"avatard/storage"
)

func momentOrZero(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// EndOfBackup looks up where a backup has ended. It reads its beginning and its end alone: SaveBackup has checked the rest, and Restore
// does it again. The errors are ErrNoBackup, ErrBackupVersion, ErrBackupDamaged and those of the disk.
func EndOfBackup(name string) (at storage.ExportPosition, err error) {
	f, err := openBackup(name)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	b, err := f.records()
	if err != nil {
		return at, err
	}
	if b.version < 2 {
		return at, fmt.Errorf("%s: %w: it has format version %d, which does not say so; write a new one", name, storage.ErrCannotGoOn, b.version)
	}
	end, err := readEnd(f, f.size, b.version)
	if err != nil {
		return at, fmt.Errorf("%s: %w", name, err)
	}
	at = storage.ExportPosition{Store: hex.EncodeToString(b.store.id[:]), Receipt: end.newest, Ended: time.UnixMicro(end.ended).UTC()}
	if end.newest > 0 {
		at.Generation = hex.EncodeToString(end.generation[:])
	}
	return at, nil
}

// maxEndBytes is more than an end record takes.
const maxEndBytes = 512

// readEnd finds the end record: the one whose bytes reach exactly to the end of the file. Its sum shows that it is one.
func readEnd(r io.ReaderAt, size int64, version uint32) (end endRecord, err error) {
	from := max(int64(backupHeadBytes), size-maxEndBytes)
	tail := make([]byte, max(0, size-from))
	if _, err := r.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return end, err
	}
	for at := range tail {
		rest := tail[at:]
		length := len(rest) - recordHeadBytes - recordSumBytes
		if length < 0 {
			break
		}
		head := recordHead(kindEnd, length)
		if !bytes.Equal(rest[:recordHeadBytes], head[:]) {
			continue
		}
		content := rest[recordHeadBytes : recordHeadBytes+length]
		if recordSum(from+int64(at), head, content) != binary.BigEndian.Uint32(rest[recordHeadBytes+length:]) {
			continue
		}
		record, err := decode(version, kindEnd, content)
		if end, ok := record.(endRecord); ok {
			return end, nil
		}
		return end, err
	}
	return end, fmt.Errorf("%w: it has no end", ErrBackupDamaged)
}

// goOn notes that the backup goes on from another one, if the store does.
func (b *backup) goOn(db *database, since storage.ExportPosition) error {
	if since.Store != hex.EncodeToString(b.store.id[:]) {
		return fmt.Errorf("%w: it is of another store", storage.ErrCannotGoOn)
	}
	b.store.since, b.store.sinceTime = since.Receipt, since.Ended.UnixMicro()
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
