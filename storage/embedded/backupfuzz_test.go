package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
)

// FuzzBackup reads bytes of strangers as a backup: no panic, no more memory than a record takes, no error but of the three
// kinds, and whatever is accepted is written again as the same bytes. The sums are put right first, or nothing would come
// past them.
func FuzzBackup(f *testing.F) {
	backup, receipts := littleBackup(f)
	f.Add(backup)
	f.Add(receipts)
	f.Add([]byte(backupMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		for at := backupHeadBytes; at+recordHeadBytes <= len(data); {
			length := int(binary.BigEndian.Uint32(data[at+1:]))
			end := at + recordHeadBytes + length
			if length > maxRecordBytes || end+recordSumBytes > len(data) {
				break
			}
			head := recordHead(recordKind(data[at]), length)
			binary.BigEndian.PutUint32(data[end:], recordSum(int64(at), head, data[at+recordHeadBytes:end]))
			at = end + recordSumBytes
		}
		var again bytes.Buffer
		w, err := newBackupWriter(&again)
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBackupReader(bytes.NewReader(data))
		if err == nil {
			err = w.write(b.store)
		}
		voids := false
		for err == nil {
			var record any
			if record, err = b.next(); err == nil && record != nil {
				err = w.write(record)
			}
			voids = voids || record == nil && err == nil
		}
		if cap(readerBuffer(b)) > 2*(maxRecordBytes+recordSumBytes) {
			t.Errorf("a buffer of %d bytes", cap(b.buf))
		}
		if !errors.Is(err, io.EOF) {
			if !isBackupError(err) {
				t.Errorf("error %v", err)
			}
			return
		}
		if err := errors.Join(w.write(b.end), w.w.Flush()); err != nil {
			t.Fatal(err)
		}
		if decodeAll(t, data) != decodeAll(t, again.Bytes()) && !voids {
			t.Error("what was read is written as something else")
		}
	})
}

func readerBuffer(b *backupReader) []byte {
	if b == nil {
		return nil
	}
	return b.buf
}

// decodeAll returns how many records a backup has, 0 when it is none.
func decodeAll(t *testing.T, data []byte) backupCounts {
	t.Helper()
	b, err := newBackupReader(bytes.NewReader(data))
	for err == nil {
		_, err = b.next()
	}
	if !errors.Is(err, io.EOF) {
		return backupCounts{}
	}
	b.counts.audit += b.counts.refusals // of the first version, where they are one kind
	b.counts.refusals = 0
	return b.counts
}

// A file of the first version is read by every program after it: it was written by the first one, and stays as it is.
func TestBackupOfTheFirstVersion(t *testing.T) {
	data, err := os.ReadFile("testdata/backup-v1")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := CheckBackup(bytes.NewReader(data))
	if err != nil || sum.Users != 4 || sum.Pictures != 3 || sum.Receipts != 2 {
		t.Errorf("CheckBackup = %+v, %v, want 4 users, 3 pictures, 2 receipts", sum, err)
	}
	dir, _ := restoreTest(t, "testdata/backup-v1", "testdata/receipts-v1")
	wantLittle(t, dir, "restored")
}
