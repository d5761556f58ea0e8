package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// sealedDir is the directory of a closed store with six receipts in its log, the ids of these by their places, and the head.
func sealedDir(t *testing.T) (dir string, ids [6]string, head string) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		mustPut(t, s, i, 300)
		mustPut(t, s, i, 300)
		mustRemove(t, s, i)
	}
	signed, err := s.ReceiptHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range receiptsOf(t, s, storage.ReceiptQuery{}) { // the newest first
		ids[5-i] = r.ID
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, ids, signed.Text
}

// copied copies a directory whose store has a key.
func copied(t *testing.T, data string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.CopyFS(dir, os.DirFS(data)), os.Chmod(filepath.Join(dir, keyName), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// withoutTriggers takes what the schema would refuse out of the way of somebody who changes rows.
const withoutTriggers = `PRAGMA foreign_keys = OFF; DROP TRIGGER receipt_stays; DROP TRIGGER receipt_goes; DROP TRIGGER receipt_gone;
	DROP TRIGGER receipt_log_stays; DROP TRIGGER receipt_log_order; DROP TRIGGER receipt_hash_stays; DROP TRIGGER receipt_hash_kept;
	DROP TRIGGER receipt_head_rises; DROP TRIGGER watermark_rises; DROP TRIGGER pruned_rises;`

// swapped swaps the values of columns between the rows 2 and 4 of a table, by their key.
func swapped(table, key, columns string) string {
	return `CREATE TEMP TABLE two AS SELECT * FROM ` + table + ` WHERE ` + key + ` IN (2, 4);
		UPDATE ` + table + ` SET (` + columns + `) = (SELECT ` + columns + ` FROM two WHERE two.` + key + ` = 6 - ` + table + `.` + key + `) WHERE ` + key + ` IN (2, 4);`
}

// Whatever row is altered, removed, swapped or put in, in whatever table, a walk names it. Somebody may do that to the files of a store,
// which goes on to erase all the same.
func TestChangedLogIsFound(t *testing.T) {
	data, ids, _ := sealedDir(t)
	fault := func(kind receiptlog.Kind, index, end int64, receipt string) *receiptlog.FaultError {
		return &receiptlog.FaultError{Kind: kind, Index: index, End: end, Receipt: receipt}
	}
	altered := func(place int64) *receiptlog.FaultError {
		return fault(receiptlog.Altered, place, place+1, ids[place])
	}
	hash := func(place, end int64) *receiptlog.FaultError { return fault(receiptlog.HashAltered, place, end, "") }
	headAltered := fault(receiptlog.HeadAltered, 0, 6, "")
	misplaced := fault(receiptlog.Misplaced, 1, 2, ids[3])
	misplaced.Belongs = 3
	for name, c := range map[string]struct {
		sql  string
		want *receiptlog.FaultError
	}{
		"time of a receipt":              {`UPDATE receipt SET time = time + 1 WHERE seq = 3`, altered(2)},
		"reason of a receipt":            {`UPDATE receipt SET reason = 4 WHERE seq = 3`, altered(2)},
		"user of a receipt":              {`UPDATE receipt SET uid = 1 WHERE seq = 3`, altered(2)},
		"organisation of a receipt":      {`UPDATE receipt SET organization = 'x' WHERE seq = 3`, altered(2)},
		"record of the trail":            {`UPDATE receipt SET audit = audit - 1 WHERE seq = 3`, nil},
		"id of a receipt":                {`UPDATE receipt SET generation = zeroblob(16) WHERE seq = 3`, fault(receiptlog.Altered, 2, 3, "00000000000000000000000000000000")},
		"name of a user":                 {`UPDATE user SET id = 'other' WHERE uid = 2`, altered(2)},
		"a user":                         {`DELETE FROM user WHERE uid = 2`, altered(2)},
		"caller in the trail":            {`UPDATE audit SET caller = 'other' WHERE seq = (SELECT audit FROM receipt WHERE seq = 3)`, altered(2)},
		"request in the trail":           {`UPDATE audit SET request = 'other' WHERE seq = (SELECT audit FROM receipt WHERE seq = 3)`, altered(2)},
		"the trail":                      {`DELETE FROM audit WHERE seq = (SELECT audit FROM receipt WHERE seq = 3)`, altered(2)},
		"the trail, made to look old":    {`UPDATE receipt_log SET audit = NULL, user_salt = salt, caller = salt, request = salt, salt = NULL WHERE place = 2; DELETE FROM audit WHERE seq = (SELECT audit FROM receipt WHERE seq = 3)`, altered(2)},
		"a receipt":                      {`DELETE FROM receipt WHERE seq = 3`, fault(receiptlog.Missing, 2, 3, ids[3])},
		"the last receipt":               {`DELETE FROM receipt WHERE seq = 6`, fault(receiptlog.Missing, 5, 6, "")},
		"a receipt, made to look old":    {`DELETE FROM receipt WHERE seq = 3; UPDATE receipt_log SET salt = NULL WHERE place = 2`, fault(receiptlog.Missing, 2, 3, ids[3])},
		"two receipts for one another":   {swapped("receipt", "seq", "uid, generation, time, reason, organization, audit"), fault(receiptlog.Altered, 1, 2, ids[3])},
		"place of a receipt":             {`UPDATE receipt_log SET place = 9 WHERE place = 2`, fault(receiptlog.Inserted, 6, 10, "")},
		"salt of a place":                {`UPDATE receipt_log SET salt = randomblob(32) WHERE place = 2`, altered(2)},
		"issuer of a place":              {`UPDATE receipt_log SET issuer = 7 WHERE place = 2`, altered(2)},
		"organisation of a place":        {`UPDATE receipt SET organization = NULL WHERE seq = 3; UPDATE receipt_log SET organization = 'x' WHERE place = 2`, altered(2)},
		"a place":                        {`DELETE FROM receipt_log WHERE place = 2`, fault(receiptlog.Missing, 2, 3, ids[3])},
		"the last place":                 {`DELETE FROM receipt_log WHERE place = 5`, fault(receiptlog.Missing, 5, 6, "")},
		"a place, and others moved up":   {`DELETE FROM receipt_log WHERE place = 2; UPDATE receipt_log SET place = place - 1 WHERE place > 2`, fault(receiptlog.Missing, 2, 3, ids[3])},
		"two places for one another":     {`UPDATE receipt_log SET place = 9 WHERE place = 1; UPDATE receipt_log SET place = 1 WHERE place = 3; UPDATE receipt_log SET place = 3 WHERE place = 9`, misplaced},
		"a place too many":               {`INSERT INTO receipt_log (place, receipt) VALUES (6, 7)`, fault(receiptlog.Inserted, 6, 7, "")},
		"an issuer":                      {`DELETE FROM receipt_issuer`, altered(0)},
		"URL of an issuer":               {`UPDATE receipt_issuer SET url = 'https://other'`, altered(0)},
		"a leaf's hash":                  {`UPDATE receipt_hash SET hashes = randomblob(32) WHERE place = 2`, hash(2, 3)},
		"a node's hash":                  {`UPDATE receipt_hash SET hashes = CAST(substr(hashes, 1, 32) || zeroblob(64) AS BLOB) WHERE place = 3`, hash(2, 4)},
		"a hash":                         {`DELETE FROM receipt_hash WHERE place = 2`, hash(2, 3)},
		"two hashes for one another":     {swapped("receipt_hash", "place", "hashes"), hash(2, 3)},
		"the head":                       {`UPDATE receipt_head SET head = replace(head, char(10) || '6' || char(10), char(10) || '5' || char(10))`, headAltered},
		"the head, gone":                 {`DELETE FROM receipt_head`, headAltered},
		"the head's frontier":            {`UPDATE receipt_head SET frontier = zeroblob(length(frontier))`, headAltered},
		"what is sealed":                 {`UPDATE receipt_head SET sealed = 9`, nil},
		"all of the log but its head":    {`DELETE FROM receipt_log; DELETE FROM receipt_hash`, fault(receiptlog.Missing, 0, 6, "")},
		"a receipt that was never there": {`INSERT INTO receipt SELECT seq - 3, uid, zeroblob(16), time, 1, NULL, 1, organization, audit FROM receipt WHERE seq = 3`, fault(receiptlog.Inserted, -1, -1, "00000000000000000000000000000000")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFault(t, data, c.sql, c.want)
		})
	}
}

// wantFault changes a copy of a directory and demands that a walk over its log finds a fault; nil for a change that does not touch the log.
func wantFault(t *testing.T, data, sql string, want *receiptlog.FaultError) {
	t.Helper()
	dir := copied(t, data)
	editData(t, dir, withoutTriggers+sql)
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.VerifyReceipts(t.Context(), nil)
	got, found := errors.AsType[*receiptlog.FaultError](err)
	if (err != nil) != found {
		t.Errorf("VerifyReceipts = %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("VerifyReceipts (-want +got):\n%s", diff)
	}
	mustPut(t, s, 8, 300)
	mustRemove(t, s, 8)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v", err)
	}
}

// Two stores that were one have different pasts: each log is correct, and each is found to be none of the other's heads. The same goes for
// somebody with the key who alters a receipt and makes all of the log anew.
func TestForkedLogIsFound(t *testing.T) {
	data, _, before := sealedDir(t)
	heads := map[string]string{}
	dirs := map[string]string{}
	for _, name := range []string{"one", "other", "rewritten"} {
		dirs[name] = copied(t, data)
	}
	editData(t, dirs["rewritten"], withoutTriggers+`UPDATE receipt SET time = time - 1 WHERE seq = 2;
		DELETE FROM receipt_log; DELETE FROM receipt_hash; DELETE FROM receipt_issuer; DELETE FROM receipt_head`)
	for i, name := range []string{"one", "other", "rewritten"} {
		s := openTest(t, dirs[name])
		mustPut(t, s, i, 300)
		mustRemove(t, s, i)
		signed, err := s.ReceiptHead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heads[name] = signed.Text
		if _, err := s.VerifyReceipts(t.Context(), nil); err != nil {
			t.Errorf("%s: VerifyReceipts = %v without a noted head", name, err)
		}
		for _, c := range []struct {
			noted  string
			forked bool
		}{{before, name == "rewritten"}, {heads["one"], name != "one"}, {signed.Text, false}} {
			_, err := s.VerifyReceipts(t.Context(), []string{c.noted})
			fault, is := errors.AsType[*receiptlog.FaultError](err)
			if is != c.forked || is && fault.Kind != receiptlog.Forked || !is && err != nil {
				t.Errorf("%s: VerifyReceipts = %v with a noted head, want it forked: %v", name, err, c.forked)
			}
		}
	}
}

// A log whose key is lost is not gone on with, and gets no other key. Everything else works.
func TestLogWithoutItsKey(t *testing.T) {
	dir, ids, _ := sealedDir(t)
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, dir)
	mustPut(t, s, 1, 300)
	mustRemove(t, s, 1)
	onCommitter(s, func() {
		if due := s.sealDue(s.quiet); !due.IsZero() {
			t.Error("there is something to seal")
		}
	})
	_, headErr := s.ReceiptHead(t.Context())
	_, proofErr := s.ProveReceipt(t.Context(), ids[1])
	_, historyErr := s.ProveHistory(t.Context(), 1)
	_, verifyErr := s.VerifyReceipts(t.Context(), nil)
	for name, err := range map[string]error{"ReceiptHead": headErr, "ProveReceipt": proofErr, "ProveHistory": historyErr, "VerifyReceipts": verifyErr} {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s = %v, want %v", name, err, os.ErrNotExist)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, keyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a key: %v", err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v", err)
	}
}

// A key that cannot be made is tried again.
func TestLogWhoseKeyCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 300)
	mustRemove(t, s, 1)
	if err := os.Mkdir(filepath.Join(dir, keyName), 0o700); err != nil {
		t.Fatal(err)
	}
	onCommitter(s, func() {
		began := time.Now()
		s.sealReceipts()
		if due := s.sealDue(s.quiet); due.Before(began.Add(sealRetry)) {
			t.Errorf("the next try is due at %v", due)
		}
	})
	if _, err := s.ReceiptHead(t.Context()); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, receiptlog.ErrKeyFile) {
		t.Errorf("ReceiptHead = %v, want %v", err, receiptlog.ErrKeyFile)
	}
	if err := errors.Join(s.Ready(t.Context()), os.Remove(filepath.Join(dir, keyName))); err != nil {
		t.Error(err)
	}
	onCommitter(s, s.sealReceipts)
	if report, err := s.VerifyReceipts(t.Context(), nil); err != nil || report.Receipts != 1 {
		t.Errorf("VerifyReceipts = %+v, %v", report, err)
	}
}

// A restored store begins another log, under another key, although it is the same store; nothing is restored beside a key that is there.
func TestRestoredStoreBeginsALog(t *testing.T) {
	l := &logged{aged: openAged(t, storage.Retention{})}
	mustPut(t, l.Store, 1, 300)
	mustRemove(t, l.Store, 1)
	l.seal(1, 0, "before")
	full, _ := saveTest(t, l.Store, storage.ExportOptions{})
	dir, _ := restoreTest(t, full, "")
	restored := &logged{aged: &aged{Store: openTest(t, dir), t: t}}
	if _, err := restored.VerifyReceipts(t.Context(), nil); !errors.Is(err, storage.ErrNotSealed) {
		t.Errorf("VerifyReceipts = %v, want %v", err, storage.ErrNotSealed)
	}
	restored.seal(1, 0, "restored")
	if _, err := restored.VerifyReceipts(t.Context(), l.noted); !errors.Is(err, receiptlog.ErrSignature) {
		t.Errorf("VerifyReceipts with a head of the store before = %v, want %v", err, receiptlog.ErrSignature)
	}
	other := t.TempDir()
	if _, err := receiptlog.MakeKeyFile(filepath.Join(other, keyName)); err != nil {
		t.Fatal(err)
	}
	if err := hasNoStore(other); !errors.Is(err, storage.ErrStoreExists) {
		t.Errorf("a restore beside a key: %v, want %v", err, storage.ErrStoreExists)
	}
}

// What is left of a full disk is for deletes: nothing is sealed until there is room again.
func TestSealingWaitsForRoom(t *testing.T) {
	room := int64(1 << 40)
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), FreeSpace: func(string) (int64, int64, error) { return room, 1 << 41, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 300)
	onCommitter(s, func() { room = 0; s.space.short.Store(true) })
	mustRemove(t, s, 1)
	if _, err := s.ReceiptHead(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("ReceiptHead = %v on a full disk", err)
	}
	onCommitter(s, func() { room = 1 << 40; s.regainRoom() })
	if _, err := s.ReceiptHead(t.Context()); err != nil {
		t.Errorf("ReceiptHead = %v once there is room", err)
	}
}
