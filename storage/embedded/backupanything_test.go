package embedded

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// pieces are what texts of a stranger are made of.
var pieces = []string{"", "a", "user-1", "\xff", "\xed\xa0\x80", "\xc0\xaf", "\x00", "\n", "\u0085", "\u00a0", "é", "e\u0301", "組織", "😀", "\ufffd", "' --",
	strings.Repeat("x", 200), strings.Repeat("😀", 200), strings.Repeat("\x80", 300), strings.Repeat("y", 64<<10)}

type stranger struct{ *rand.Rand }

func (r stranger) text() (text string) {
	for range 1 + r.IntN(3) {
		text += pieces[r.IntN(len(pieces))]
	}
	if len(text) > 0 && r.IntN(4) == 0 {
		text = text[r.IntN(len(text)):] // in the middle of a code point
	}
	return text
}

func (r stranger) origin() storage.Origin {
	return storage.Origin{Caller: r.text(), CallerOrganization: r.text(), RequestID: r.text()}
}

// number is one at the edges of what there is.
func (r stranger) number() int64 {
	return []int64{0, 1, -1, 127, math.MaxInt32, math.MaxInt64, math.MinInt64, storage.MaxCount + 1, r.Int64()}[r.IntN(9)]
}

// act makes a call with whatever comes and reports whether the store took it.
func (r stranger) act(t *testing.T, s *Store, users *[]storage.UserKey) bool {
	key := storage.UserKey{Issuer: r.text(), ID: r.text()}
	if len(*users) > 0 && r.IntN(2) == 0 {
		key = (*users)[r.IntN(len(*users))]
	}
	org, by := r.text(), storage.Origin{}
	if r.IntN(2) == 0 {
		org = testOrg
	}
	if r.IntN(2) == 0 {
		by = r.origin()
	}
	var err error
	by.Readmits = r.IntN(2) == 0
	switch r.IntN(8) {
	case 0:
		_, err = s.AddOrganization(t.Context(), org, by)
	case 1:
		_, _, err = s.AddUser(t.Context(), key, org, by)
	case 2:
		format := storage.Format(r.IntN(4))
		_, err = s.Put(t.Context(), storage.Upload{User: key, Organization: org, By: by, Register: true,
			Picture: storage.Picture{Format: format, Data: []byte(r.text())}})
	case 3:
		_, err = s.Remove(t.Context(), storage.Removal{User: key, Organization: org, By: by})
	case 4:
		_, err = s.EraseUser(t.Context(), storage.Removal{User: key, AnyOrganization: true, By: by})
	case 5:
		_, err = s.RemoveOrganization(t.Context(), org, by)
	case 6:
		_, err = s.EndOrganization(t.Context(), org, by)
	case 7:
		s.RecordRefusal(storage.Refusal{By: r.origin(), Organization: r.text(), Target: r.text(), Action: r.text(), Reason: r.text(), Dropped: r.number()})
	}
	if err != nil && !errors.Is(err, storage.ErrInvalid) && !errors.Is(err, storage.ErrOrganizationInUse) &&
		!errors.Is(err, storage.ErrUserNotFound) && !errors.Is(err, storage.ErrOtherOrganization) &&
		!errors.Is(err, storage.ErrUserEnded) && !errors.Is(err, storage.ErrOrganizationEnded) && !errors.Is(err, storage.ErrOrganizationNotFound) {
		t.Errorf("%v", err)
	}
	if err == nil && key.Valid() {
		*users = append(*users, key)
	}
	return err == nil
}

// Whatever a store takes, a backup of it can be written, checked and restored, and holds it all.
func TestWhateverIsTakenIsRestored(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := stranger{rand.New(rand.NewPCG(seed, 1))}
			wild := seed%4 == 3 // a clock out of all bounds
			now := func() time.Time {
				micros := r.Int64N(storage.MaxTime)
				if wild {
					micros = r.number()
				}
				return time.UnixMicro(micros)
			}
			s, err := Open(t.Context(), Config{Dir: t.TempDir(), Now: now})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var users []storage.UserKey
			for taken := 0; taken < 150; {
				if r.act(t, s, &users) {
					taken++
				}
			}
			_, _ = s.AddOrganization(t.Context(), testOrg, testReadmits)
			mustPut(t, s, 1, 100) // with it goes what waits
			mustRemove(t, s, 1)
			want := contents(t, s)
			if len(want["refusal"]) == 0 || len(want["receipt"]) == 0 {
				t.Fatal("there are no refusals or no receipts")
			}
			name, _ := saveTest(t, s, storage.ExportOptions{})
			dir, _ := restoreTest(t, name, "")
			again := openTest(t, dir)
			if got := contents(t, again); !wild {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("restored (-backed up +restored):\n%s", diff)
				}
			} else if len(got["user"]) != len(want["user"]) || len(got["generation"]) != len(want["generation"]) || len(got["refusal"]) != len(want["refusal"]) {
				t.Error("users, pictures or refusals are missing")
			}
			if _, err := backup.Check(strings.NewReader(string(backupBytes(t, again, storage.ExportOptions{ReceiptsOnly: true})))); err != nil {
				t.Error(err)
			}
		})
	}
}

// A store in which an earlier program recorded text that no backup may hold can be backed up all the same.
func TestBackupOfAPoisonedStore(t *testing.T) {
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 100)
	err := s.look(func(db *database) error {
		return db.conn.Exec(`
			INSERT INTO refusal VALUES (NULL, 1, 'GET', 'x', 'c', '', CAST(x'ff' AS TEXT), '', '', -1),
				(NULL, 2, 'GET', 'x', CAST(zeroblob(70000) AS TEXT), '', replace(hex(zeroblob(40000)), '00', 'é'), '', '', 9223372036854775807);
			INSERT INTO audit VALUES (NULL, 1, CAST(x'80' AS TEXT), 'done', '', '', '', '', CAST(x'61c0af' AS TEXT), -7)`)
	})
	if err != nil {
		t.Fatal(err)
	}
	name, sum := saveTest(t, s, storage.ExportOptions{})
	if sum.Audit < 3 {
		t.Errorf("Backup = %+v, want three records of the audit trail and more", sum)
	}
	dir, _ := restoreTest(t, name, "")
	again := openTest(t, dir)
	err = again.look(func(db *database) error {
		want := []string{"\"\ufffd\" \"0\"", fmt.Sprintf(`%q "%d"`, strings.Repeat("é", storage.MaxIDBytes/2), int64(storage.MaxCount))}
		if diff := cmp.Diff(want, rowsOf(t, db.conn, `SELECT organization, dropped FROM refusal ORDER BY seq`)); diff != "" {
			t.Errorf("refusals (-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A picture that the rules of a backup cannot hold is named and left out; it does not take the backup with it.
func TestBackupLeavesOutWhatCannotBe(t *testing.T) {
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 100)
	mustPut(t, s, 2, 100)
	if err := s.look(func(db *database) error { return db.conn.Exec(`UPDATE generation SET format = 77 WHERE uid = 1`) }); err != nil {
		t.Fatal(err)
	}
	_, sum := saveTest(t, s, storage.ExportOptions{})
	if sum.Unreadable != 1 || sum.Pictures != 1 {
		t.Errorf("Backup = %+v, want one picture and one that is unreadable", sum)
	}
}

// Records of refusals count what was dropped without end, and never less than nothing.
func TestDroppedRefusalsAddUp(t *testing.T) {
	s := openTest(t, t.TempDir())
	s.db.mu.Lock() // nothing is written meanwhile
	for range 2 * maxRefusals {
		s.RecordRefusal(storage.Refusal{Dropped: math.MaxInt64})
	}
	s.refusals.mu.Lock()
	if s.refusals.dropped < 0 {
		t.Errorf("%d dropped", s.refusals.dropped)
	}
	s.refusals.mu.Unlock()
	s.db.mu.Unlock()
	mustPut(t, s, 1, 100)
	s.RecordRefusal(storage.Refusal{Dropped: 1})
	mustPut(t, s, 2, 100)
	if n := count(t, s, `SELECT count(*) FROM refusal WHERE dropped < 0`); n > 0 {
		t.Errorf("%d refusals say that less than none were dropped", n)
	}
}
