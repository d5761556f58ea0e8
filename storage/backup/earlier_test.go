package backup

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// known is what a file says of users, organisations and receipts.
type known struct {
	Users, Organizations map[string]storage.RegistrationState
	Pictures             map[string]string
	Receipts             []storage.ReceiptRecord
}

// whatIsIn reads a file to its end.
func whatIsIn(t *testing.T, data []byte) known {
	t.Helper()
	is := known{map[string]storage.RegistrationState{}, map[string]storage.RegistrationState{}, map[string]string{}, nil}
	b, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	user := ""
	for {
		record, err := b.Next()
		if errors.Is(err, io.EOF) {
			return is
		}
		if err != nil {
			t.Fatal(err)
		}
		switch r := record.(type) {
		case storage.OrganizationRecord:
			is.Organizations[r.ID] = r.State
		case storage.UserRecord:
			user = r.ID
			is.Users[user] = r.State
		case storage.PictureRecord:
			is.Pictures[user] = string(r.Data)
		case storage.ReceiptRecord:
			r.Generation, r.Time = [16]byte{}, 0
			is.Receipts = append(is.Receipts, r)
		}
	}
}

// Files of the second version, which a program of that time has written, say of each user and organisation whether they were removed, and
// nothing of receipts beyond whose they are.
func TestFilesOfTheSecondVersion(t *testing.T) {
	const on, off = storage.Registered, storage.Removed
	receipts := []storage.ReceiptRecord{
		{Number: 1, User: 2, Reason: storage.ReasonReplaced}, {Number: 2, User: 9, Reason: storage.ReasonRemoved},
		{Number: 3, User: 3, Reason: storage.ReasonRemoved}, {Number: 4, User: 5, Reason: storage.ReasonRemoved},
		{Number: 5, User: 4, Reason: storage.ReasonRemoved}, {Number: 6, User: 2, Reason: storage.ReasonRemoved},
	}
	orgs := map[string]storage.RegistrationState{"acme": on, "globex": on, "empty": on, "closed": off}
	for name, want := range map[string]known{
		"backup-v2": {
			Users: map[string]storage.RegistrationState{"kept": on, "twice": on, "erased": on, "later": on, "left": off, "nothing": on, "soon": on,
				"moved": on, "old": off},
			Pictures: map[string]string{"kept": "the picture of kept", "twice": "the second picture of twice",
				"later": "the picture of later, erased after the backup", "moved": "the picture of moved"},
			Receipts: receipts[:4], Organizations: orgs,
		},
		"receipts-v2": {
			Users:    map[string]storage.RegistrationState{"twice": off, "erased": on, "later": on, "left": off, "old": off},
			Pictures: map[string]string{}, Receipts: receipts, Organizations: orgs,
		},
	} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, whatIsIn(t, data)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A file of a version that this program does not know is refused, whatever else is in it.
func TestFileOfANewerVersion(t *testing.T) {
	data := everyRecord(t)
	data[headBytes-1] = formatVersion + 1
	if _, err := NewReader(bytes.NewReader(data)); !errors.Is(err, ErrVersion) {
		t.Errorf("NewReader = %v, want %v", err, ErrVersion)
	}
}

// States are known from the version on in which they exist, and no others are.
func TestStates(t *testing.T) {
	for _, tt := range []struct {
		title   string
		version uint32
		kind    recordKind
		state   byte
		want    bool
	}{
		{"a user removed, of the second version", 2, kindUser, 1, true},
		{"a user ended, which the second version does not have", 2, kindUser, 2, false},
		{"an organisation ending, which the second version does not have", 2, kindOrganization, 3, false},
		{"a user removed", 3, kindUser, 1, true},
		{"a user ended", 3, kindUser, 2, true},
		{"a user ending, as organisations are", 3, kindUser, 3, false},
		{"an organisation removed", 3, kindOrganization, 1, true},
		{"an organisation ended", 3, kindOrganization, 2, true},
		{"an organisation ending", 3, kindOrganization, 3, true},
		{"a state that is not known", 3, kindOrganization, 4, false},
		{"a state that is not written", 3, kindOrganization, 0, false},
		{"a state in the first version, which has none", 1, kindUser, 1, false},
	} {
		var b body
		var record storage.Record = storage.OrganizationRecord{ID: "acme"}
		if tt.kind == kindUser {
			record = storage.UserRecord{Number: 1, Issuer: 1, ID: "zoë", Organization: "acme", Sequence: 1}
		}
		if _, err := b.encode(record); err != nil {
			t.Fatal(err)
		}
		got, err := decode(tt.version, tt.kind, append(b.bytes, tt.state))
		if (err == nil) != tt.want || err != nil && !errors.Is(err, storage.ErrExportDamaged) {
			t.Errorf("%s: %+v, %v", tt.title, got, err)
		}
		if _, err := decode(tt.version, tt.kind, append(b.bytes, tt.state, tt.state)); err == nil {
			t.Errorf("%s: two states in one record", tt.title)
		}
	}
}

// A restore of files of the second version has nobody ended: who was removed stays off the record, without a picture, and registers again like anybody. The program of that time
// says the same of them.
func TestRestoreOfTheSecondVersion(t *testing.T) {
	place := embedded.At(embedded.Config{Dir: t.TempDir()})
	sum, err := Restore(t.Context(), place, RestoreOptions{Backup: "testdata/backup-v2", Receipts: []string{"testdata/receipts-v2"}})
	if err != nil || sum.Users != 6 || sum.Pictures != 2 || sum.Receipts != 6 || sum.Erased != 1 {
		t.Fatalf("Restore = %+v, %v", sum, err)
	}
	s, err := place.Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	by := storage.Origin{Caller: "test"}
	for user, org := range map[string]string{"left": "globex", "old": "acme", "twice": "acme"} {
		key := storage.UserKey{Issuer: "https://id.example", ID: user}
		if _, err := s.Stat(t.Context(), key, org); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("Stat of %s = %v, want %v", user, err, storage.ErrUserNotFound)
		}
		if _, created, err := s.AddUser(t.Context(), key, org, by); !created || err != nil {
			t.Errorf("AddUser of %s = %v, %v", user, created, err)
		}
		if info, err := s.Stat(t.Context(), key, org); err != nil || info.Generation != "" || info.Details.Sequence < 2 {
			t.Errorf("Stat of %s, who is back = %+v, %v", user, info, err)
		}
	}
	if created, err := s.AddOrganization(t.Context(), "closed", by); !created || err != nil {
		t.Errorf("AddOrganization of one that was removed = %v, %v", created, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
