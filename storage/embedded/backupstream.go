package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"avatard/storage"
)

// backupWriter writes records one behind the other.
type backupWriter struct {
	w      *bufio.Writer
	offset int64
	counts backupCounts
	body   body // used again and again
}

// newBackupWriter writes what stands before the first record.
func newBackupWriter(w io.Writer) (*backupWriter, error) {
	b := &backupWriter{w: bufio.NewWriterSize(w, 64<<10), offset: int64(backupHeadBytes)}
	head := binary.BigEndian.AppendUint32([]byte(backupMagic), backupVersion)
	_, err := b.w.Write(head)
	return b, err
}

func (b *backupWriter) write(record any) error {
	kind, err := b.body.encode(record)
	if err != nil {
		return err
	}
	return b.writeBody(kind)
}

func (b *backupWriter) writeBody(kind recordKind) error {
	head := recordHead(kind, len(b.body.bytes))
	sum := binary.BigEndian.AppendUint32(nil, recordSum(b.offset, head, b.body.bytes))
	for _, part := range [][]byte{head[:], b.body.bytes, sum} {
		if _, err := b.w.Write(part); err != nil {
			return err
		}
		b.offset += int64(len(part))
	}
	b.counts.count(kind)
	if kind == kindPicture {
		clear(b.body.bytes)
	}
	return nil
}

// backupReader reads a backup from its beginning to its end, with the memory of one record, and believes nothing: it
// returns the error io.EOF only behind an end record that agrees with what was read. Errors are ErrNoBackup,
// ErrBackupVersion, ErrBackupDamaged and those of the source.
type backupReader struct {
	r       *bufio.Reader
	version uint32
	offset  int64
	store   storeRecord
	end     endRecord
	counts  backupCounts
	buf     []byte

	at      int64 // where the record that was returned last begins
	kind    recordKind
	receipt int64 // the newest so far
	user    backedUser
	owes    bool // the user's picture has to come next
	ended   bool
}

// newBackupReader reads up to and with the store record.
func newBackupReader(r io.Reader) (*backupReader, error) {
	b := &backupReader{r: bufio.NewReaderSize(r, 64<<10)}
	head := make([]byte, backupHeadBytes)
	n, err := io.ReadFull(b.r, head)
	switch {
	case err != nil && !isCutOff(err):
		return nil, err
	case n == 0 || string(head[:min(n, len(backupMagic))]) != backupMagic[:min(n, len(backupMagic))]:
		return nil, ErrNoBackup
	case err != nil:
		return nil, cutOff(int64(n))
	}
	version := binary.BigEndian.Uint32(head[len(backupMagic):])
	switch {
	case version == 0:
		return nil, fmt.Errorf("%w: it has format version 0", ErrBackupDamaged)
	case version > backupVersion:
		return nil, fmt.Errorf("%w: it has format version %d, this program knows up to %d", ErrBackupVersion, version, backupVersion)
	}
	b.version, b.offset = version, int64(len(head))
	first, err := b.read()
	if errors.Is(err, io.EOF) {
		return nil, cutOff(b.offset)
	}
	if err != nil {
		return nil, err
	}
	store, ok := first.(storeRecord)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with its store", ErrBackupDamaged)
	}
	b.store = store
	return b, nil
}

func isCutOff(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func cutOff(at int64) error { return fmt.Errorf("%w: it is cut off at byte %d", ErrBackupDamaged, at) }

// next returns the next record: issuerRecord, organizationRecord, backedUser, pictureRecord, receiptRecord,
// auditRecord, or nil for a void. A picture's bytes are valid until the next call.
func (b *backupReader) next() (any, error) {
	record, err := b.read()
	if err != nil {
		return nil, err
	}
	owed := b.owes
	b.owes = false
	fault := ""
	switch r := record.(type) {
	case storeRecord:
		fault = "it has a second store"
	case backedUser:
		b.user, b.owes = r, r.picture == pictureFollows
	case pictureRecord, nil:
		if !owed {
			fault = "a picture belongs to nobody"
		}
		owed = false
	case receiptRecord:
		if r.seq <= b.receipt {
			fault = "receipts are out of order"
		}
		b.receipt = r.seq
	case endRecord:
		if owed {
			break
		}
		if b.counts != r.counts {
			return nil, fmt.Errorf("%w: it holds %+v, its end speaks of %+v", ErrBackupDamaged, b.counts, r.counts)
		}
		if _, err := b.r.ReadByte(); err == nil {
			return nil, fmt.Errorf("%w: there is more behind its end", ErrBackupDamaged)
		} else if !errors.Is(err, io.EOF) {
			return nil, err
		}
		b.end, b.ended = r, true
		return nil, io.EOF
	}
	if owed {
		fault = "a picture is missing"
	}
	if fault != "" {
		return nil, fmt.Errorf("%w: %s, at byte %d", ErrBackupDamaged, fault, b.at)
	}
	return record, nil
}

// read returns the next record, whatever its place.
func (b *backupReader) read() (any, error) {
	if b.ended {
		return nil, io.EOF
	}
	var head [recordHeadBytes]byte
	if err := b.full(head[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(head[1:]))
	if length > maxRecordBytes {
		return nil, fmt.Errorf("%w: a record of %d bytes at byte %d, limit %d", ErrBackupDamaged, length, b.offset, maxRecordBytes)
	}
	if need := length + recordSumBytes; cap(b.buf) < need {
		b.buf = make([]byte, need, max(need, 2*cap(b.buf)))
	}
	b.buf = b.buf[:length+recordSumBytes]
	if err := b.full(b.buf); err != nil {
		return nil, err
	}
	content, sum := b.buf[:length], binary.BigEndian.Uint32(b.buf[length:])
	if recordSum(b.offset, head, content) != sum {
		return nil, fmt.Errorf("%w: bytes were changed in the record at byte %d", ErrBackupDamaged, b.offset)
	}
	b.at, b.kind = b.offset, recordKind(head[0])
	b.offset += int64(len(head) + len(b.buf))
	record, err := decode(b.version, b.kind, content)
	if err != nil {
		return nil, fmt.Errorf("%w, at byte %d", err, b.at)
	}
	b.counts.count(b.kind)
	return record, nil
}

// full fills p; a backup has to have an end of its own.
func (b *backupReader) full(p []byte) error {
	n, err := io.ReadFull(b.r, p)
	if err != nil && isCutOff(err) {
		return cutOff(b.offset + int64(n))
	}
	return err
}

// summary tells what was read, once that was all.
func (b *backupReader) summary() storage.ExportSummary {
	return newBackupSummary(b.store, b.end, b.offset)
}
