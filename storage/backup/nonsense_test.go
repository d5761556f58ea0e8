package backup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// unchecked writes records, also those that a writer refuses, and an end that counts more users than there are.
func unchecked(t *testing.T, records []storage.Record, more int64) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	end := storage.EndRecord{}
	for _, r := range records {
		end.Counts.Count(r)
		kind, _ := w.body.encode(r) // which refuses some of them
		if err := w.writeBody(kind); err != nil {
			t.Fatal(err)
		}
	}
	end.Counts.Users += more
	if err := errors.Join(w.Write(end), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func ended(u storage.UserRecord) storage.UserRecord {
	u.State = storage.Ended
	return u
}

// Records that are whole, but do not fit together.
func TestRestoreOfNonsense(t *testing.T) {
	id := [16]byte{1}
	base := []storage.Record{storage.StoreRecord{ID: id}, storage.IssuerRecord{Number: 1, URL: "i"}, storage.OrganizationRecord{ID: "o"}}
	user := storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "o", Sequence: 2, Picture: storage.PictureFollows}
	gone := user
	gone.Picture = storage.PictureNone
	picture := storage.PictureRecord{Generation: id, Format: storage.PNG, Data: []byte("x")}
	for _, tt := range []struct {
		title   string
		records []storage.Record
		more    int64  // users that the end counts and that are not there
		want    string // "" for none
	}{
		{"nothing wrong", []storage.Record{user, picture, storage.ReceiptRecord{Number: 1, User: 1, Reason: 1, Generation: [16]byte{2}}}, 0, ""},
		{"a user of no organisation", []storage.Record{storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "other", Sequence: 1}}, 0, "fit together"},
		{"a user of no issuer", []storage.Record{storage.UserRecord{Number: 1, Issuer: 2, ID: "u", Organization: "o", Sequence: 1}}, 0, "fit together"},
		{"a receipt of nobody", []storage.Record{storage.ReceiptRecord{Number: 1, User: 1, Reason: 1}}, 0, "fit together"},
		{"two users of one id", []storage.Record{gone, storage.UserRecord{Number: 2, Issuer: 1, ID: "u", Organization: "o", Sequence: 1}}, 0, "fit together"},
		{"one number for two users", []storage.Record{gone, storage.UserRecord{Number: 1, Issuer: 1, ID: "v", Organization: "o", Sequence: 1}}, 0, "number of another"},
		{"receipts out of order", []storage.Record{gone, storage.ReceiptRecord{Number: 2, User: 1, Reason: 1}, storage.ReceiptRecord{Number: 1, User: 1, Reason: 1}}, 0, "out of order"},
		{"a picture of nobody", []storage.Record{gone, picture}, 0, "belongs to nobody"},
		{"a picture is owed", []storage.Record{user, gone}, 0, "is missing"},
		{"a picture is owed at the end", []storage.Record{user}, 0, "is missing"},
		{"a second store", []storage.Record{storage.StoreRecord{ID: id}}, 0, "second store"},
		{"a user from before time", []storage.Record{storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "o", Sequence: 1, Created: 5, Changed: 4}}, 0, "changed before"},
		{"a format that is not known", []storage.Record{user, storage.PictureRecord{Generation: id, Format: 77, Data: []byte("x")}}, 0, "format"},
		{"an empty picture", []storage.Record{user, storage.PictureRecord{Generation: id, Format: 1}}, 0, "too short"},
		{"an end that speaks of more", []storage.Record{gone}, 1, "its end speaks of"},
		{"a user with a picture who has ended", []storage.Record{ended(user), picture}, 0, "off the record has a picture"},
		{"a user who is ending", []storage.Record{storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "o", Sequence: 1, State: storage.Ending}}, 0, "user is ending"},
		{"a user of an unknown state", []storage.Record{storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "o", Sequence: 1, State: 77}}, 0, "state"},
		{"an organisation of an unknown state", []storage.Record{storage.OrganizationRecord{ID: "p", State: 4}}, 0, "state"},
		{"a user of sequence 0", []storage.Record{storage.UserRecord{Number: 1, Issuer: 1, ID: "u", Organization: "o"}}, 0, "range"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			data := unchecked(t, append(base, tt.records...), tt.more)
			name, dir := filepath.Join(t.TempDir(), "file"), t.TempDir()
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Restore(t.Context(), embedded.At(embedded.Config{Dir: dir}), RestoreOptions{Backup: name})
			if tt.want == "" {
				if err != nil {
					t.Errorf("Restore = %v", err)
				}
				return
			}
			if !errors.Is(err, storage.ErrExportDamaged) || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("Restore = %v, want %v with %q", err, storage.ErrExportDamaged, tt.want)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 1 || len(left) == 1 && left[0].Name() != "lock" {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}
