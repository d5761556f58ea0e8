package backup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"example.org/avatard/storage"
)

// ErrFileExists: there is a file of that name, and overwrite is not set.
var ErrFileExists = errors.New("the file exists")

// voidedAtOnce bounds the receipts that are kept in memory while erased pictures are taken out of a file.
const voidedAtOnce = 1 << 18

// Save writes a stream of [Write] to a file, which is readable for its owner alone, and returns what is in
// it. The file gets its name when it is whole, checked, synced, and rid of every picture that was erased before the
// backup's end; a try that fails leaves nothing. ErrFileExists when there is a file of that name and overwrite is not
// set. Progress, unless it is nil, is called now and then with the share that is done.
func Save(name string, overwrite bool, stream io.Reader, progress func(done, total int64)) (sum storage.ExportSummary, err error) {
	if err := mayWrite(name, overwrite); err != nil {
		return sum, err
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+".unfinished-*") // with mode 0600
	if err != nil {
		return sum, err
	}
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	b, first, err := receive(f, stream, progress)
	if err != nil {
		return sum, err
	}
	sum = b.Summary()
	if first > 0 {
		if err := voidErased(f, b.version, first); err != nil {
			return sum, fmt.Errorf("taking out what was erased meanwhile: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		return sum, err
	}
	if err := mayWrite(name, overwrite); err != nil {
		return sum, err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return sum, err
	}
	err = f.Close()
	f = nil
	return sum, errors.Join(err, syncDir(dir))
}

// syncDir makes the names of the files in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func mayWrite(name string, overwrite bool) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !overwrite:
		return fmt.Errorf("%w: %s", ErrFileExists, name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", name)
	}
	return nil
}

// Copy passes a stream of [Write] on to w and returns what is in it. It checks the stream on the way, and holds nothing back: after an
// error w has got a part of a backup, which no reader takes. Pictures that were erased before the backup's end
// may be in it, since bytes that were sent cannot be taken out; late is true when some were erased meanwhile. Restore leaves them out.
func Copy(w io.Writer, stream io.Reader, progress func(done, total int64)) (sum storage.ExportSummary, late bool, err error) {
	b, first, err := receive(w, stream, progress)
	if err != nil {
		return sum, false, err
	}
	return b.Summary(), first > 0, nil
}

// receive writes a stream to a file and checks it on the way. It returns the stream's reader, at its end, and the place of the first receipt
// that was written while the backup was made, 0 when there is none: pictures that such receipts name may be in the file before them.
func receive(f io.Writer, stream io.Reader, progress func(done, total int64)) (b *Reader, first int64, err error) {
	out := bufio.NewWriterSize(f, 256<<10)
	if b, err = NewReader(io.TeeReader(stream, out)); err != nil {
		return nil, 0, err
	}
	for {
		record, err := b.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		switch r := record.(type) {
		case storage.ReceiptRecord:
			if first == 0 && r.Number > b.store.Receipts {
				first = b.at
			}
		case storage.UserRecord:
			if progress != nil {
				progress(min(r.Number, b.store.LastUser), b.store.LastUser)
			}
		}
	}
	if progress != nil {
		progress(b.store.LastUser, b.store.LastUser)
	}
	if err := out.Flush(); err != nil {
		return nil, 0, err
	}
	return b, first, nil
}

// voidErased overwrites every picture in a whole backup that is named by a receipt at or behind a place.
func voidErased(f *os.File, version uint32, from int64) error {
	for from > 0 {
		erased := make(map[[16]byte]bool)
		next := int64(0)
		err := eachRecord(f, from, func(at int64, kind recordKind, b []byte, _ int) error {
			if kind != kindReceipt {
				return nil
			}
			if len(erased) == voidedAtOnce {
				next = at
				return io.EOF
			}
			record, err := decode(version, kind, b)
			if r, ok := record.(storage.ReceiptRecord); ok {
				erased[r.Generation] = true
			}
			return err
		})
		if err != nil {
			return err
		}
		err = eachRecord(f, int64(headBytes), func(at int64, kind recordKind, b []byte, length int) error {
			if kind != kindPicture || !erased[[16]byte(b)] {
				return nil
			}
			return voidAt(f, at, length)
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// voidAt puts a void in the place of a record.
func voidAt(f *os.File, at int64, length int) error {
	head := recordHead(kindVoid, length)
	record := make([]byte, recordHeadBytes+length+recordSumBytes)
	copy(record, head[:])
	zeros := record[recordHeadBytes : recordHeadBytes+length]
	binary.BigEndian.PutUint32(record[recordHeadBytes+length:], recordSum(at, head, zeros))
	_, err := f.WriteAt(record, at)
	return err
}

// eachRecord calls do for the records of a file that was checked, from a place on, until do returns io.EOF. b is the body of a receipt,
// and the first bytes of other bodies: a picture's generation. length is the length of the whole body.
func eachRecord(f *os.File, from int64, do func(at int64, kind recordKind, b []byte, length int) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(f, from, 1<<62), 256<<10)
	var buf [16]byte
	for at := from; ; {
		var head [recordHeadBytes]byte
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		kind, length := recordKind(head[0]), int(binary.BigEndian.Uint32(head[1:]))
		if length > maxRecordBytes {
			return storage.ErrExportDamaged
		}
		b, skip := buf[:], length-len(buf)
		if kind == kindReceipt {
			b, skip = make([]byte, length), 0
		} else if skip < 0 {
			b, skip = buf[:length], 0
		}
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		if err := do(at, kind, b, length); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := r.Discard(skip + recordSumBytes); err != nil {
			return err
		}
		at += int64(recordHeadBytes + length + recordSumBytes)
	}
}

// Check reads a backup to its end and returns what is in it. Its errors are those of [Restore] about a file.
func Check(r io.Reader) (storage.ExportSummary, error) {
	b, err := NewReader(r)
	for err == nil {
		_, err = b.Next()
	}
	if !errors.Is(err, io.EOF) {
		return storage.ExportSummary{}, err
	}
	return b.Summary(), nil
}
