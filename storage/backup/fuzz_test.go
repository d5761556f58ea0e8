package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"

	"example.org/avatard/storage"
)

// FuzzBackup reads arbitrary bytes as a backup: there is no panic, no more memory in use than a record takes, no error but of the three
// kinds, and an accepted backup is written again as the same bytes. The sums are put right first, else nearly all would fail at them.
func FuzzBackup(f *testing.F) {
	for _, name := range []string{"backup-v1", "receipts-v1", "backup-v2", "receipts-v2"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(everyRecord(f))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		for at := headBytes; at+recordHeadBytes <= len(data); {
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
		w, err := NewWriter(&again)
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewReader(bytes.NewReader(data))
		if err == nil {
			err = w.Write(b.store)
		}
		voids := false
		for err == nil {
			var record storage.Record
			if record, err = b.Next(); err != nil {
				break
			}
			if _, void := record.(storage.VoidRecord); void {
				voids = true
			} else {
				err = w.Write(record)
			}
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
		if err := errors.Join(w.Write(b.end), w.Flush()); err != nil {
			t.Fatal(err)
		}
		if decodeAll(t, data) != decodeAll(t, again.Bytes()) && !voids {
			t.Error("what was read is written as something else")
		}
	})
}

func isBackupError(err error) bool {
	return errors.Is(err, ErrNoBackup) || errors.Is(err, ErrVersion) || errors.Is(err, storage.ErrExportDamaged)
}

// everyRecord is a backup that holds a record of every kind.
func everyRecord(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	end := storage.EndRecord{Ended: 9, Newest: 2, Generation: [16]byte{8}}
	for _, record := range []storage.Record{
		storage.StoreRecord{ID: [16]byte{1}, Began: 1, LastUser: 1},
		storage.IssuerRecord{Number: 1, URL: "https://issuer.example"},
		storage.IssuerMoveRecord{From: "https://old.example", To: "https://issuer.example"},
		storage.OrganizationRecord{ID: "acme", Created: 1},
		storage.OrganizationRecord{ID: "left", Created: 1, State: storage.Removed},
		storage.OrganizationRecord{ID: "over", Created: 1, State: storage.Ended},
		storage.OrganizationRecord{ID: "going", Created: 1, State: storage.Ending},
		storage.UserRecord{Number: 1, Issuer: 1, ID: "zoë", Organization: "acme", Created: 1, Changed: 2, Sequence: 3, Picture: storage.PictureFollows},
		storage.PictureRecord{Generation: [16]byte{2}, Format: storage.PNG, Data: []byte("picture")},
		storage.UserRecord{Number: 2, Issuer: 1, ID: "gone", Organization: "acme", Created: 1, Changed: 2, Sequence: 3, State: storage.Removed},
		storage.UserRecord{Number: 3, Issuer: 1, ID: "ended", Organization: "acme", Created: 1, Changed: 2, Sequence: 3, State: storage.Ended},
		storage.ReceiptRecord{Number: 1, User: 1, Generation: [16]byte{7}, Time: 2, Reason: storage.ReasonRemoved},
		storage.ReceiptRecord{Number: 2, User: 3, Generation: [16]byte{8}, Time: 2, Reason: storage.ReasonRemoved,
			Organization: "acme", Caller: "zoë", CallerOrganization: "globex", Request: "request-1"},
		storage.AuditRecord{Number: 1, Time: 1, Action: "put", Result: storage.AuditDone, Caller: "zoë"},
		storage.AuditRecord{Number: 1, Time: 1, Action: "GET", Result: "no", Refusal: true, Dropped: 5},
	} {
		end.Counts.Count(record)
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Write(end), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A record of every kind comes back as it was written.
func TestEveryRecordComesBack(t *testing.T) {
	data := everyRecord(t)
	b, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	w, err := NewWriter(&again)
	if err != nil {
		t.Fatal(err)
	}
	var record storage.Record = b.store
	for ; err == nil; record, err = b.Next() {
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(b.end), w.Flush()); err != nil || !bytes.Equal(data, again.Bytes()) {
		t.Errorf("what was read is written as %d other bytes, %v", again.Len(), err)
	}
}

func readerBuffer(b *Reader) []byte {
	if b == nil {
		return nil
	}
	return b.buf
}

// decodeAll returns how many records a backup has, 0 when it is not a backup.
func decodeAll(t *testing.T, data []byte) storage.RecordCounts {
	t.Helper()
	b, err := NewReader(bytes.NewReader(data))
	for err == nil {
		_, err = b.Next()
	}
	if !errors.Is(err, io.EOF) {
		return storage.RecordCounts{}
	}
	b.counts.Audit += b.counts.Refusals // of the first version, where they are one kind
	b.counts.Refusals = 0
	return b.counts
}
