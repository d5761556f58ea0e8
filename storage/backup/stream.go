package backup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"example.org/avatard/storage"
)

// Writer writes records one after the other.
type Writer struct {
	w      *bufio.Writer
	offset int64
	body   body // used again and again
}

// NewWriter writes the magic and the version, which come before the first record.
func NewWriter(w io.Writer) (*Writer, error) {
	b := &Writer{w: bufio.NewWriterSize(w, 64<<10), offset: int64(headBytes)}
	head := binary.BigEndian.AppendUint32([]byte(magic), formatVersion)
	_, err := b.w.Write(head)
	return b, err
}

// Write writes a record. An error is one of the writer below, or names what a reader would refuse about the record.
func (b *Writer) Write(record storage.Record) error {
	kind, err := b.body.encode(record)
	if err != nil {
		return err
	}
	return b.writeBody(kind)
}

// Flush passes on what is still buffered.
func (b *Writer) Flush() error { return b.w.Flush() }

func (b *Writer) writeBody(kind recordKind) error {
	head := recordHead(kind, len(b.body.bytes))
	sum := binary.BigEndian.AppendUint32(nil, recordSum(b.offset, head, b.body.bytes))
	for _, part := range [][]byte{head[:], b.body.bytes, sum} {
		if _, err := b.w.Write(part); err != nil {
			return err
		}
		b.offset += int64(len(part))
	}
	if kind == kindPicture {
		clear(b.body.bytes)
	}
	return nil
}

// Reader reads a backup from its beginning to its end, with the memory of one record, and checks all of it: it
// returns io.EOF only after an end record that agrees with what was read. Errors are ErrNoBackup,
// ErrVersion, storage.ErrExportDamaged and those of the source.
type Reader struct {
	r       *bufio.Reader
	size    int64 // of the whole, 0 when that is not known
	version uint32
	offset  int64
	store   storage.StoreRecord
	end     storage.EndRecord
	counts  storage.RecordCounts
	buf     []byte

	at      int64 // where the record that was returned last begins
	kind    recordKind
	receipt int64 // the newest so far
	user    storage.UserRecord
	owes    bool // the next record has to be that user's picture
	ended   bool
}

// NewReader reads up to the store record, and that record.
func NewReader(r io.Reader) (*Reader, error) {
	b := &Reader{r: bufio.NewReaderSize(r, 64<<10)}
	head := make([]byte, headBytes)
	n, err := io.ReadFull(b.r, head)
	switch {
	case err != nil && !isCutOff(err):
		return nil, err
	case n == 0 || string(head[:min(n, len(magic))]) != magic[:min(n, len(magic))]:
		return nil, ErrNoBackup
	case err != nil:
		return nil, cutOff(int64(n))
	}
	version := binary.BigEndian.Uint32(head[len(magic):])
	switch {
	case version == 0:
		return nil, fmt.Errorf("%w: it has format version 0", storage.ErrExportDamaged)
	case version > formatVersion:
		return nil, fmt.Errorf("%w: it has format version %d, this program knows up to %d", ErrVersion, version, formatVersion)
	}
	b.version, b.offset = version, int64(len(head))
	first, err := b.read()
	if errors.Is(err, io.EOF) {
		return nil, cutOff(b.offset)
	}
	if err != nil {
		return nil, err
	}
	store, ok := first.(storage.StoreRecord)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with its store", storage.ErrExportDamaged)
	}
	b.store = store
	return b, nil
}

func isCutOff(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func cutOff(at int64) error {
	return fmt.Errorf("%w: it is cut off at byte %d", storage.ErrExportDamaged, at)
}

// Next returns the next record, see [storage.RecordReader].
func (b *Reader) Next() (storage.Record, error) {
	record, err := b.read()
	if err != nil {
		return nil, err
	}
	owed := b.owes
	b.owes = false
	fault := ""
	switch r := record.(type) {
	case storage.StoreRecord:
		fault = "it has a second store"
	case storage.UserRecord:
		b.user, b.owes = r, r.Picture == storage.PictureFollows
	case storage.PictureRecord, storage.VoidRecord:
		if !owed {
			fault = "a picture belongs to nobody"
		}
		owed = false
	case storage.ReceiptRecord:
		if r.Number <= b.receipt {
			fault = "receipts are out of order"
		}
		b.receipt = r.Number
	case storage.EndRecord:
		if owed {
			break
		}
		if b.counts != r.Counts {
			return nil, fmt.Errorf("%w: it holds %+v, its end speaks of %+v", storage.ErrExportDamaged, b.counts, r.Counts)
		}
		if _, err := b.r.ReadByte(); err == nil {
			return nil, fmt.Errorf("%w: there is more behind its end", storage.ErrExportDamaged)
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
		return nil, fmt.Errorf("%w: %s, at byte %d", storage.ErrExportDamaged, fault, b.at)
	}
	return record, nil
}

// read returns the next record, without a look at its place among the others.
func (b *Reader) read() (storage.Record, error) {
	if b.ended {
		return nil, io.EOF
	}
	var head [recordHeadBytes]byte
	if err := b.full(head[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(head[1:]))
	if length > maxRecordBytes {
		return nil, fmt.Errorf("%w: a record of %d bytes at byte %d, limit %d", storage.ErrExportDamaged, length, b.offset, maxRecordBytes)
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
		return nil, fmt.Errorf("%w: bytes were changed in the record at byte %d", storage.ErrExportDamaged, b.offset)
	}
	b.at, b.kind = b.offset, recordKind(head[0])
	b.offset += int64(len(head) + len(b.buf))
	record, err := decode(b.version, b.kind, content)
	if err != nil {
		return nil, fmt.Errorf("%w, at byte %d", err, b.at)
	}
	b.counts.Count(record)
	return record, nil
}

// full fills p. The end of the file is an error: a backup ends with a record of its own.
func (b *Reader) full(p []byte) error {
	n, err := io.ReadFull(b.r, p)
	if err != nil && isCutOff(err) {
		return cutOff(b.offset + int64(n))
	}
	return err
}

// Summary describes the backup, once Next has returned io.EOF.
func (b *Reader) Summary() storage.ExportSummary { return summary(b.store, b.end, b.offset) }

// Read returns how many bytes have been read, and how many there are, 0 when that is not known.
func (b *Reader) Read() (done, total int64) { return b.offset, b.size }

func summary(store storage.StoreRecord, end storage.EndRecord, size int64) storage.ExportSummary {
	sum := end.Summary(store)
	sum.Bytes = size
	return sum
}
