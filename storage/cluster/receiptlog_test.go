package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// sealed is a store with a log of receipts, whose tables a test may change.
type sealed struct {
	t     *testing.T
	s     *Store
	o     Options
	conn  *pgx.Conn // what a change would break is not looked at
	ids   []string  // of the receipts, by their places
	heads []string  // after none, one, two … receipts
}

var logTables = []string{"receipt", "receipt_log", "receipt_hash", "receipt_head", "person", "issuer"}

// sealedStore makes a store with receipts of as many users.
func sealedStore(t *testing.T, receipts int) *sealed {
	t.Helper()
	return sealedStoreAs(t, receipts, storage.OpenOptions{})
}

func sealedStoreAs(t *testing.T, receipts int, how storage.OpenOptions) *sealed {
	t.Helper()
	o := options(t, false)
	l := &sealed{t: t, s: openStoreAs(t, o, how), o: o, conn: sql(t, o)}
	l.s.sweeping() // only the test seals
	l.run(`SET session_replication_role = replica`)
	l.head()
	for i := range receipts {
		u := addUser(t, l.s, fmt.Sprint("u", i))
		put(t, l.s, u)
		l.ids = append(l.ids, remove(t, l.s, u).Receipt)
		l.head()
	}
	return l
}

func (l *sealed) run(statements ...string) {
	l.t.Helper()
	for _, statement := range statements {
		if _, err := l.conn.Exec(l.t.Context(), statement); err != nil {
			l.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// head seals and notes the head.
func (l *sealed) head() (size int64) {
	l.t.Helper()
	signed, err := l.s.ReceiptHead(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	head, err := receiptlog.OpenHead([]byte(signed.Text), signed.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	l.heads = append(l.heads, signed.Text)
	return head.Size
}

// fault returns what a walk finds; nil for nothing.
func (l *sealed) fault(noted ...string) *receiptlog.FaultError {
	l.t.Helper()
	_, err := l.s.VerifyReceipts(l.t.Context(), noted)
	fault, ok := errors.AsType[*receiptlog.FaultError](err)
	if err != nil && !ok {
		l.t.Fatal(err)
	}
	return fault
}

// keep returns a function that makes the tables what they are now.
func (l *sealed) keep() (restore func()) {
	for _, table := range logTables {
		l.run(`CREATE TABLE kept_` + table + ` AS TABLE ` + table)
	}
	return func() {
		l.t.Helper()
		for _, table := range logTables {
			l.run(`DELETE FROM `+table, `INSERT INTO `+table+` OVERRIDING SYSTEM VALUE TABLE kept_`+table)
		}
	}
}

// swap gives two rows of a table each other's number.
func swap(table, column string, a, b int) string {
	to := func(from, to int) string {
		return fmt.Sprintf(`UPDATE %s SET %s = %d WHERE %[2]s = %[4]d;`, table, column, to, from)
	}
	return to(a, 1000) + to(b, a) + to(1000, b)
}

// alterations change one row of a table, as somebody who may write to the database would. The receipt with number n is at place n-1, user n.
func (l *sealed) alterations() map[string]receiptlog.FaultError {
	altered := func(place int64) receiptlog.FaultError {
		return receiptlog.FaultError{Kind: receiptlog.Altered, Index: place, End: place + 1, Receipt: l.ids[place]}
	}
	hash := func(first, end int64) receiptlog.FaultError {
		return receiptlog.FaultError{Kind: receiptlog.HashAltered, Index: first, End: end}
	}
	exchanged := receiptlog.FaultError{Kind: receiptlog.Altered, Index: 1, End: 2, Receipt: l.ids[3]} // of the one that stands there now
	missing := receiptlog.FaultError{Kind: receiptlog.Missing, Index: 2, End: 3, Receipt: l.ids[3]}
	head := receiptlog.FaultError{Kind: receiptlog.HeadAltered, End: 5}
	faults := map[string]receiptlog.FaultError{
		`DELETE FROM receipt WHERE n = 3`:         missing,
		swap("receipt", "n", 2, 4):                exchanged,
		`DELETE FROM receipt_log WHERE place = 2`: missing,
		`UPDATE receipt_log SET receipt = NULL, issuer = NULL, user_salt = NULL, caller_salt = NULL, request_salt = NULL, caller = NULL, request = NULL
		  WHERE place = 2`: missing, // as if it had been removed for its age
		swap("receipt_log", "place", 1, 3):                                                {Kind: receiptlog.Misplaced, Index: 1, End: 2, Receipt: l.ids[3], Belongs: 3},
		swap("receipt_log", "receipt", 2, 4):                                              exchanged,
		`UPDATE receipt_log SET place = 9 WHERE place = 4`:                                {Kind: receiptlog.Missing, Index: 4, End: 5},
		`INSERT INTO receipt_log (place) VALUES (5)`:                                      {Kind: receiptlog.Inserted, Index: 5, End: 6},
		`UPDATE receipt_hash SET hash = sha256('x') WHERE number = 3`:                     hash(2, 3),
		`DELETE FROM receipt_hash WHERE number = 3`:                                       hash(2, 3),
		`DELETE FROM receipt_hash WHERE number = 6`:                                       hash(0, 4),
		`UPDATE receipt_hash SET hash = sha256('x') WHERE number = 6`:                     hash(0, 4),
		swap("receipt_hash", "number", 1, 4):                                              hash(1, 2),
		`UPDATE receipt_head SET head = replace(head, E'\n5\n', E'\n6\n')`:                head,
		`UPDATE receipt_head SET frontier = '\x0000000000000000'`:                         head,
		`UPDATE receipt_head SET key = replace(key, '+', '-')`:                            head,
		`UPDATE receipt_head SET key = NULL, secret = NULL, frontier = NULL, head = NULL`: head,
		`DELETE FROM receipt_head`:                                                        {Kind: receiptlog.HeadAltered},
		`UPDATE person SET id = 'somebody' WHERE uid = 3`:                                 altered(2),
		`UPDATE issuer SET url = 'https://other.test'`:                                    altered(0),
	}
	for table, sets := range map[string][]string{
		"receipt": {"gen = decode(md5('x'), 'hex')", "uid = 1", "reason = 2", "begun_at = begun_at - interval '1 us'", "org = 'x'", "org = NULL", "caller = 'x'", "caller = NULL",
			"caller_org = 'x'", "request = 'x'", "caller = NULL, caller_org = NULL, request = NULL"},
		"receipt_log": {"issuer = 'x'", "user_salt = sha256('x')", "caller_salt = sha256('x')", "request_salt = sha256('x')", "caller_salt = NULL", "caller = sha256('x')", "request = sha256('x')"},
	} {
		for _, set := range sets {
			fault := altered(2)
			if strings.HasPrefix(set, "gen") {
				fault.Receipt = "9dd4e461268c8034f5c8564e155c67a6"
			}
			faults[fmt.Sprintf(`UPDATE %s SET %s WHERE %s = %d`, table, set, map[string]string{"receipt": "n", "receipt_log": "place + 1"}[table], 3)] = fault
		}
	}
	return faults
}

// Each change of one row of the receipts, of the log, of its hashes and of its head is found, and the walk says what it is about.
func TestEachChangeOfTheLogIsNamed(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 5)
	restore := l.keep()
	for change, want := range l.alterations() {
		if fault := l.fault(l.heads...); fault != nil {
			t.Fatalf("before %s: %v", change, fault)
		}
		l.run(strings.Split(change, ";")...)
		if fault := l.fault(); fault == nil || *fault != want {
			t.Errorf("%s: found %+v, want %+v", change, fault, want)
		}
		restore()
	}
	if _, err := sql(t, l.o).Exec(t.Context(), `DELETE FROM receipt WHERE n = 3`); err == nil {
		t.Error("a receipt that has a place was removed without it")
	}
}

// Nothing is sealed behind a head that somebody has changed, and calls that erase go on.
func TestNothingIsSealedBehindAnAlteredHead(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 2)
	u := addUser(t, l.s, "u")
	restore := l.keep()
	for _, change := range []string{
		`DELETE FROM receipt_head`, `UPDATE receipt_head SET frontier = '\x0000000000000000'`,
		`UPDATE receipt_head SET key = NULL, secret = NULL, frontier = NULL, head = NULL`, `INSERT INTO receipt_log (place) VALUES (2)`,
	} {
		l.run(change)
		put(t, l.s, u)
		remove(t, l.s, u)
		fault := new(receiptlog.FaultError)
		if _, err := l.s.ReceiptHead(t.Context()); !errors.As(err, &fault) || fault.Kind != receiptlog.HeadAltered {
			t.Errorf("%s: ReceiptHead = %v, want a fault of the head", change, err)
		}
		if err := l.s.sealInBackground(t.Context()); !errors.As(err, &fault) {
			t.Errorf("%s: in the background: %v, want a fault of the head", change, err)
		}
		restore()
		l.run(`DELETE FROM receipt WHERE n > 2`)
	}
	l.run(`UPDATE receipt_head SET secret = (SELECT secret || 'x' FROM receipt_head)`)
	put(t, l.s, u)
	remove(t, l.s, u)
	if _, err := l.s.ReceiptHead(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("with another private key: ReceiptHead = %v, want %v", err, storage.ErrUnavailable)
	}
}

// Somebody who has the key makes another history, in which all fits together. Who noted a head of before finds it out, and nobody else.
func TestForkedHistory(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 3)
	l.run(`DELETE FROM receipt_log`, `DELETE FROM receipt_hash`, `UPDATE receipt SET org = 'another' WHERE n = 2`)
	_, err := l.conn.Exec(t.Context(), `UPDATE receipt_head SET mark = 0, late = '{}', frontier = '\x0000000000000000', head = $1`, l.heads[0])
	if err != nil {
		t.Fatal(err)
	}
	noted := slices.Clone(l.heads)
	if size := l.head(); size != 3 {
		t.Fatalf("the forged log has %d receipts, want 3", size)
	}
	if fault := l.fault(); fault != nil {
		t.Errorf("without a noted head: %v", fault)
	}
	want := receiptlog.FaultError{Kind: receiptlog.Forked, End: 3, Noted: 3}
	if fault := l.fault(noted[3]); fault == nil || *fault != want {
		t.Errorf("with the head of yesterday: %+v, want %+v", fault, want)
	}
	want = receiptlog.FaultError{Kind: receiptlog.Forked, End: 1, Noted: 1}
	if fault := l.fault(noted...); fault == nil || *fault != want {
		t.Errorf("with all heads: %+v, want %+v", fault, want)
	}
}
