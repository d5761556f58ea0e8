package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"example.org/avatard/storage"
)

// End returns where a backup has ended. It reads nothing but the beginning and the end: Save has checked the rest, and Restore
// checks it again. The errors are ErrNoBackup, ErrVersion, storage.ErrExportDamaged, storage.ErrCannotGoOn and those of the disk.
func End(name string) (at storage.ExportPosition, err error) {
	f, err := open(name)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := f.read()
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
	return end.Position(b.store), nil
}

// maxEndBytes is more than an end record takes.
const maxEndBytes = 512

// readEnd finds the end record: the one whose bytes reach exactly to the end of the file. Its sum shows that it is one.
func readEnd(r io.ReaderAt, size int64, version uint32) (end storage.EndRecord, err error) {
	from := max(int64(headBytes), size-maxEndBytes)
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
		if end, ok := record.(storage.EndRecord); ok {
			return end, nil
		}
		return end, err
	}
	return end, fmt.Errorf("%w: it has no end", storage.ErrExportDamaged)
}
