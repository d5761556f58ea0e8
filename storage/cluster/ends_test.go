package cluster

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// Who has ended since a backup stays so where receipts of later go with it, with a picture that was erased or without, and so does what has
// become of organisations. The receipts are the same.
func TestImportOfEnds(t *testing.T) {
	from := options(t, true)
	s := openStore(t, from)
	with, without, lifted := addUser(t, s, "with"), addUser(t, s, "without"), addUser(t, s, "lifted")
	put(t, s, with)
	want := map[storage.UserKey]storage.Result{lifted: eraseUser(t, s, lifted)}
	for _, org := range []string{"ending", "ended"} {
		if _, _, err := s.AddUser(t.Context(), storage.UserKey{Issuer: with.Issuer, ID: "of " + org}, org, by); err != nil {
			t.Fatal(err)
		}
	}
	full, _ := exportOf(t, s, storage.ExportOptions{})
	at := endOf(t, full)
	want[with], want[without] = eraseUser(t, s, with), eraseUser(t, s, without)
	addUser(t, s, "lifted")
	for _, org := range []string{"ending", "ended"} {
		if _, err := s.EndOrganization(t.Context(), org, by); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.EraseUser(t.Context(), storage.Removal{User: storage.UserKey{Issuer: with.Issuer, ID: "of ended"}, Organization: "ended", By: by})
	_, errOfRemoval := s.RemoveOrganization(t.Context(), "ended", by)
	if err != nil || errOfRemoval != nil {
		t.Fatal(err, errOfRemoval)
	}
	put(t, s, lifted)
	remove(t, s, lifted) // who was readmitted and has no receipt is in no file of receipts
	newer, _ := exportOf(t, s, storage.ExportOptions{ReceiptsOnly: true, Since: &at})

	to := options(t, false)
	if _, err := importFrom(t, to, full, newer); err != nil {
		t.Fatal(err)
	}
	copied := openStore(t, to)
	wantStates(t, copied, map[string]storage.RegistrationState{acme: storage.Registered, "ending": storage.Ending, "ended": storage.Ended})
	for _, u := range []storage.UserKey{with, without} {
		if _, _, err := copied.AddUser(t.Context(), u, acme, by); !errors.Is(err, storage.ErrUserEnded) {
			t.Errorf("AddUser of %s = %v, want %v", u.ID, err, storage.ErrUserEnded)
		}
		if res, err := copied.EraseUser(t.Context(), removalOf(u)); err != nil || res != want[u] {
			t.Errorf("EraseUser of %s again = %+v, %v, want %+v", u.ID, res, err, want[u])
		}
	}
	if _, err := copied.Stat(t.Context(), lifted, acme); err != nil {
		t.Errorf("Stat of who was readmitted = %v, want nil", err)
	}
	for _, u := range []storage.UserKey{with, lifted} {
		a, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{User: u})
		b, errThere := copied.ListReceipts(t.Context(), storage.ReceiptQuery{User: u})
		if err != nil || errThere != nil || len(a.Receipts) != 1 || len(b.Receipts) != 1 || a.Receipts[0] != b.Receipts[0] || a.Receipts[0].By != by {
			t.Errorf("receipts of %s: %+v, %v; imported: %+v, %v", u.ID, a, err, b, errThere)
		}
	}
	if found, _ := checked(t, copied, false); len(found) > 0 {
		t.Errorf("a check of what was imported: %+v", found)
	}
}

// A user who ends while a backup is made is in it as one who has ended, also where no picture was erased.
func TestBackupBesideAnEnd(t *testing.T) {
	s := openStore(t, options(t, false))
	u := addUser(t, s, "u")
	users := map[string]storage.RegistrationState{}
	err := s.Export(t.Context(), storage.ExportOptions{}, func(record storage.Record) error {
		r, ok := record.(storage.UserRecord)
		if !ok {
			return nil
		}
		if users[r.ID] = r.State; r.State == storage.Registered {
			_, err := s.EraseUser(t.Context(), removalOf(u))
			return err
		}
		return nil
	})
	if err != nil || users["u"] != storage.Ended {
		t.Errorf("exported: %v, %v, want the end", users, err)
	}
}

// Who has ended arrives so, is followed so, and takes the picture along.
func TestArrivalOfEnds(t *testing.T) {
	o := options(t, true)
	a := arrive(t, o)
	receipt := storage.ReceiptRecord{Number: 1, User: 1, Generation: [16]byte{9}, Time: 5, Reason: storage.ReasonRemoved,
		Organization: acme, Caller: "c", CallerOrganization: "co", Request: "r"}
	note := func(records ...storage.Record) {
		t.Helper()
		if err := a.Note(t.Context(), append([]storage.Record{storage.StoreRecord{ID: moving}}, records...)); err != nil {
			t.Fatal(err)
		}
	}
	note(storage.OrganizationRecord{ID: acme, Created: 1}, storage.OrganizationRecord{ID: "ended", Created: 1, State: storage.Ended},
		storage.OrganizationRecord{ID: "ending", Created: 1, State: storage.Ending})
	gone, follows := arrivingUser(1, "gone", ""), arrivingUser(2, "follows", "a picture")
	gone.Record.State = storage.Ended
	stays := arrivingUser(3, "stays", "")
	stays.Record.Organization = "ending"
	users := []storage.ArrivingUser{gone, follows, stays}
	for _, want := range []int{3, 0} {
		if n, err := a.Take(t.Context(), users, true); err != nil || n != want {
			t.Fatalf("Take = %d, %v, want %d changed", n, err, want)
		}
	}
	if err := a.Follow(t.Context(), follows.User, &storage.Details{Sequence: 4, ChangeDate: time.Now()}, true); err != nil {
		t.Fatal(err)
	}
	note(receipt)
	s, _ := finished(t, o, a)
	wantStates(t, s, map[string]storage.RegistrationState{acme: storage.Registered, "ended": storage.Ended, "ending": storage.Ending})
	for _, u := range []storage.ArrivingUser{gone, follows} {
		if _, _, err := s.AddUser(t.Context(), u.User, acme, by); !errors.Is(err, storage.ErrUserEnded) {
			t.Errorf("AddUser of %s = %v, want %v", u.User.ID, err, storage.ErrUserEnded)
		}
	}
	want := storage.Receipt{ID: "09000000000000000000000000000000", User: gone.User, Organization: acme, Time: micros(5), Reason: storage.ReasonRemoved,
		By: storage.Origin{Caller: "c", CallerOrganization: "co", RequestID: "r"}}
	if got, err := s.Receipt(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("Receipt = %+v, %v, want %+v", got, err, want)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}

// Who had ended at an address that an issuer gets stays so, also with work that is not done, unless somebody of the issuer is registered with
// that id. At the address of before nobody has ended. Receipts stay their users', but for those that are to come of the work.
func TestMoveIssuerToTombstones(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.sweeping() // the work stays
	const from, to = "https://issuer.test", "https://new.test"
	here, there := map[string]storage.UserKey{}, map[string]storage.UserKey{}
	for _, id := range []string{"plain", "at work", "both", "removed", "registered"} {
		there[id], here[id] = storage.UserKey{Issuer: to, ID: id}, storage.UserKey{Issuer: from, ID: id}
		if _, _, err := s.AddUser(t.Context(), there[id], acme, by); err != nil {
			t.Fatal(err)
		}
		put(t, s, there[id])
		eraseUser(t, s, there[id])
	}
	for _, id := range []string{"both", "removed", "registered"} {
		addUser(t, s, id)
	}
	eraseUser(t, s, here["both"])
	conn := sql(t, o)
	for _, statement := range []string{
		`UPDATE person SET removed = true WHERE id = 'removed' AND NOT removed`, // by the program before
		`INSERT INTO work (gen, uid, state, reason, begun_at, due) SELECT receipt, uid, 4, 1, now(), now() FROM person WHERE id = 'at work'`,
	} {
		if tag, err := conn.Exec(t.Context(), statement); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %d rows, %v", statement, tag.RowsAffected(), err)
		}
	}
	if moved, err := s.MoveIssuer(t.Context(), from, to, by); err != nil || !moved {
		t.Fatalf("MoveIssuer = %v, %v", moved, err)
	}
	for id, u := range there {
		res, err := s.EraseUser(t.Context(), storage.Removal{User: u, Organization: acme, By: by, If: storage.Condition{IfMatch: []string{storage.AnyPicture}}})
		switch {
		case id == "registered":
			if !errors.Is(err, storage.ErrConditionFailed) {
				t.Errorf("%s: EraseUser = %+v, %v, want %v", id, res, err, storage.ErrConditionFailed)
			}
			continue
		case err != nil || id != "both" && res.Receipt == "":
			t.Errorf("%s: EraseUser again = %+v, %v, want the tombstone", id, res, err)
		}
		if _, _, err := s.AddUser(t.Context(), u, acme, by); !errors.Is(err, storage.ErrUserEnded) {
			t.Errorf("%s: AddUser = %v, want %v", id, err, storage.ErrUserEnded)
		}
		if _, created, err := s.AddUser(t.Context(), here[id], acme, by); err != nil || !created {
			t.Errorf("%s: AddUser at the address of before = %v, %v, want true", id, created, err)
		}
	}
	page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{User: there["plain"]})
	if err != nil || len(page.Receipts) != 1 {
		t.Errorf("receipts of a tombstone: %+v, %v, want one", page, err)
	}
	if err := s.sweepOnce(t.Context()); err != nil {
		t.Error(err)
	}
	if found, _ := checked(t, s, false); len(found) > 0 {
		t.Errorf("a check: %+v", found)
	}
}

// An organisation ends behind everybody who is becoming one of it: nobody is registered there who is not there already.
func TestEndBesideRegistration(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	addUser(t, s, "u")
	tx, err := sql(t, o).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arguments := []any{"https://issuer.test", "v", acme, time.Now(), "", "", "", time.Now().Add(time.Hour), false}
	if _, err := tx.Exec(t.Context(), sqlAddPerson, arguments...); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.EndOrganization(t.Context(), acme, by)
		ended <- err
	}()
	awaitLock(t, o)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("EndOrganization = %v", err)
	}
	if page, err := s.ListUsers(t.Context(), storage.UserQuery{Organization: acme}); err != nil || len(page.Users) != 2 {
		t.Errorf("ListUsers = %+v, %v, want two", page, err)
	}
}

// A page of the trail does not pass a change that is under way, whose record has a lower number than one that is there.
func TestTrailWaitsForNumbersThatWereGiven(t *testing.T) {
	o, counter := options(t, false), new(tripCounter)
	o.tracer = counter
	s := openStore(t, o)
	s.sweeping() // only the test asks
	addUser(t, s, "u")
	tx, err := sql(t, o).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), `INSERT INTO audit (at, action, result, caller, caller_org, org, target, request) VALUES (now(), 'under way', '', '', '', '', '', '')`)
	if err != nil {
		t.Fatal(err)
	}
	addUser(t, s, "v")
	type answer struct {
		page storage.AuditPage
		err  error
	}
	listed, before := make(chan answer, 1), counter.statements.Load()
	go func() {
		page, err := s.ListAudit(t.Context(), storage.AuditQuery{})
		listed <- answer{page, err}
	}()
	for counter.statements.Load() < before+5 { // it asks for the end, for who writes, and then again and again
		select {
		case a := <-listed:
			t.Fatalf("ListAudit = %+v, %v, want it to wait", a.page, a.err)
		default:
			runtime.Gosched()
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := <-listed
	if a.err != nil || len(a.page.Records) != 3 || a.page.Records[1].Action != "under way" || a.page.More {
		t.Fatalf("ListAudit = %+v, %v, want three records", a.page, a.err)
	}
	addUser(t, s, "w")
	next, err := s.ListAudit(t.Context(), storage.AuditQuery{After: a.page.Next})
	if err != nil || len(next.Records) != 1 || next.Records[0].Target != "w" {
		t.Errorf("the next page: %+v, %v, want one record", next, err)
	}
}
