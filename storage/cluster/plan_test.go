package cluster

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// crowd puts people into a store's tables, each tenth with a picture, some who have ended, and receipts of as many erasures.
func crowd(t *testing.T, s *Store, people int) {
	t.Helper()
	addUser(t, s, "u")
	err := s.patiently(t.Context(), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `
SET LOCAL session_replication_role = replica; -- what is named is there: not looked up each time
INSERT INTO organization (id, created_at) SELECT 'org' || i, now() FROM generate_series(0, 99) i;
INSERT INTO person (iid, id, org, sequence, created_at, changed_at, gen, key, version, format, size)
SELECT 1, 'user' || lpad(i::text, 7, '0'), 'org' || i % 100, 1, now(), now(), g, k, v, f, f FROM generate_series(1, `+fmt.Sprint(people)+`) i,
  LATERAL (SELECT decode(md5(i::text), 'hex'), '\x00'::bytea, 'v', 1 WHERE i % 10 = 0 UNION ALL SELECT NULL, NULL, NULL, NULL WHERE i % 10 <> 0) p(g, k, v, f);
INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at, org) SELECT i, decode(md5('r' || i), 'hex'), i, 1, now(), now(), 'org' || i % 100 FROM generate_series(1, `+fmt.Sprint(people)+`) i;
INSERT INTO person (iid, id, org, sequence, created_at, changed_at, removed, ended)
SELECT 1, 'gone' || i, 'org0', 1, now(), now(), true, true FROM generate_series(1, `+fmt.Sprint(people/10)+`) i;
SELECT setval('receipt_number', `+fmt.Sprint(people)+`)`, pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// crowdTrail puts that many records on the trail, of which every other one is of a refusal.
func crowdTrail(t *testing.T, o Options, records int) {
	t.Helper()
	_, err := sql(t, o).Exec(t.Context(), `
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request, refusal)
SELECT now(), 'remove', 'done', '', '', 'org' || i % 100, '', '', i % 2 = 0 FROM generate_series(1, $1) i`, records)
	if err != nil {
		t.Fatal(err)
	}
}

// leaveDead leaves the rows of so many pieces of work dead behind that were done.
func leaveDead(t *testing.T, o Options, dead int) {
	t.Helper()
	conn := sql(t, o)
	for _, statement := range []string{
		`SET auto_explain.log_min_duration = -1`, // where that is loaded
		fmt.Sprintf(`INSERT INTO work (gen, uid, state, reason, begun_at, due) SELECT decode(md5('w' || i), 'hex'), 1 + i %% 1000, 1, 3, now(), now() FROM generate_series(1, %d) i`, dead),
		`DELETE FROM work`,
		`SELECT pg_stat_force_next_flush()`, // or what this has touched would be counted later
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// planTracer notes the statements that are sent.
type planTracer struct{ statements map[string][]any }

func (p *planTracer) note(sql string, arguments []any) {
	if p.statements != nil {
		p.statements[sql] = arguments
	}
}

func (p *planTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	p.note(d.SQL, d.Args)
	return ctx
}

func (p *planTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (p *planTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (p *planTracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	p.note(d.SQL, d.Args)
}

func (p *planTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// planOf returns the plan that a statement has in the engine: the one for all arguments.
func planOf(t *testing.T, s *Store, sql string, arguments int) string {
	t.Helper()
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Prepare(t.Context(), "explained", sql); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Conn().Deallocate(t.Context(), "explained") }()
	list := ""
	if arguments > 0 {
		list = "(NULL" + strings.Repeat(", NULL", arguments-1) + ")"
	}
	rows, err := tx.Query(t.Context(), `EXPLAIN (COSTS OFF) EXECUTE explained`+list, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}

// pagesOf returns how many pages of tables and indexes a call touches.
func pagesOf(t *testing.T, s *Store, o Options, call func()) (pages int) {
	t.Helper()
	read := func() (n int) {
		if _, err := s.pool.Exec(t.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
			t.Fatal(err)
		}
		err := sql(t, o).QueryRow(t.Context(), `SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::int FROM pg_statio_user_tables WHERE schemaname = 'avatard'`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := read()
	call()
	return read() - before
}

// With a hundred thousand people and thousands of dead rows in the list of work, the plans of all statements stay on indexes, and calls touch
// about as many pages as among a thousand people.
func TestPlansStayOnIndexes(t *testing.T) {
	few := pagesOfCalls(t, 1000, 0, false)
	many := pagesOfCalls(t, 100_000, 5_000, true)
	for name, pages := range many {
		if name == "sweep" { // it counts all that is to be done, over the dead rows
			continue
		}
		if most := listPages[name]; most > 0 {
			if pages > most {
				t.Errorf("%s touches %d pages, want at most %d", name, pages, most)
			}
			continue
		}
		if pages > few[name]+few[name]/2+10 { // indexes are deeper by a level
			t.Errorf("%s touches %d pages among many people, %d among a few", name, pages, few[name])
		}
	}
	t.Logf("pages among a few: %v; among many: %v", few, many)
}

// listPages bounds what a page of a list touches, however much there is: lists look at lookRows rows at most, twice where these do not fill the
// page, and look up what belongs to the storage.MaxPage rows that they return. So does what seals receipts and walks through them.
var listPages = map[string]int{
	"list of those with a picture": 150, "list of an organisation that many left": 300, "receipts": 1100, "receipts of an organisation": 150, "trail of a user": 150, "refusals of a user": 150,
	"page of receipts that is sealed": 25 * sealPage, "page of a walk": 8 * walkPage,
}

func pagesOfCalls(t *testing.T, people, dead int, plans bool) map[string]int {
	o := options(t, false)
	tracer := new(planTracer)
	o.tracer, o.Connections = tracer, 1
	s := openStore(t, o)
	s.sweeping() // only the test sweeps
	settle(t, o)
	crowd(t, s, people)
	crowdTrail(t, o, people/10)
	leaveDead(t, o, dead)
	if _, err := s.pool.Exec(t.Context(), `ANALYZE`); err != nil { // it finds work empty, and of some size
		t.Fatal(err)
	}
	u := storage.UserKey{Issuer: "https://issuer.test", ID: "u"}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	begunUpload(t, s, "other")
	tracer.statements = map[string][]any{}
	pages := map[string]int{}
	for range 2 { // the first time reads the catalog as well
		for _, c := range append([]namedCall{
			{"upload", func() { put(t, s, u) }},
			{"replacement", func() { put(t, s, u) }},
			{"read", func() { _, err := s.Get(t.Context(), u, acme); ok(err) }},
			{"delete", func() { remove(t, s, u) }},
			{"delete of nothing", func() { remove(t, s, u) }},
			{"sweep", func() {
				_, err := sql(t, o).Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s'`)
				ok(err)
				ok(s.sweepOnce(t.Context()))
			}},
			{"move", func() { _, _, err := s.MoveUser(t.Context(), u, "org1", by); ok(err) }},
			{"removal", func() {
				_, err := s.EraseUser(t.Context(), storage.Removal{User: u, Organization: "org1", By: by})
				ok(err)
			}},
			{"registration that is refused", func() {
				if _, _, err := s.AddUser(t.Context(), u, acme, by); !errors.Is(err, storage.ErrUserEnded) {
					t.Error(err)
				}
			}},
			{"registration", func() { addUser(t, s, "u") }},
		}, listCalls(t, s, u)...) {
			pages[c.name] = pagesOf(t, s, o, c.call)
		}
	}
	statements := tracer.statements
	tracer.statements = nil
	if len(statements) < 30 {
		t.Errorf("%d statements were seen, want more", len(statements))
	}
	if plans {
		checkPlans(t, s, statements)
	}
	return pages
}

// namedCall is a call whose pages are counted.
type namedCall struct {
	name string
	call func()
}

// listCalls are those that list, and those of organisations.
func listCalls(t *testing.T, s *Store, u storage.UserKey) []namedCall {
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	list := func(q storage.UserQuery) func() {
		return func() { _, err := s.ListUsers(t.Context(), q); ok(err) }
	}
	receipts := func(q storage.ReceiptQuery) func() {
		return func() { _, err := s.ListReceipts(t.Context(), q); ok(err) }
	}
	trail := func(q storage.AuditQuery) func() { return func() { _, err := s.ListAudit(t.Context(), q); ok(err) } }
	return []namedCall{
		{"list", list(storage.UserQuery{})},
		{"list of an id", list(storage.UserQuery{ID: "user0000077"})},
		{"list of those with a picture", list(storage.UserQuery{Picture: storage.WithPicture})},
		{"list of an organisation that many left", list(storage.UserQuery{Organization: "org0", Picture: storage.WithPicture})},
		{"receipts", receipts(storage.ReceiptQuery{})},
		{"receipts of an organisation", receipts(storage.ReceiptQuery{Organization: "nowhere"})},
		{"receipts of a user", receipts(storage.ReceiptQuery{User: u})},
		{"receipt", func() {
			_, err := s.Receipt(t.Context(), "00000000000000000000000000000000")
			if !errors.Is(err, storage.ErrReceiptNotFound) {
				t.Error(err)
			}
		}},
		{"trail", trail(storage.AuditQuery{})},
		{"trail of a user", trail(storage.AuditQuery{Target: "nobody"})},
		{"refusals of a user", trail(storage.AuditQuery{Target: "nobody", Kind: storage.Refusals})},
		{"state of an organisation", func() { _, err := s.OrganizationState(t.Context(), "org7"); ok(err) }},
		{"end of an organisation", func() { _, err := s.EndOrganization(t.Context(), "org7", by); ok(err) }},
		{"registration of an organisation", func() { _, err := s.AddOrganization(t.Context(), "org7", readmitting); ok(err) }},
		{"list of organisations", func() { _, err := s.ListOrganizations(t.Context(), ""); ok(err) }},
		{"list of a small organisation", list(storage.UserQuery{Organization: acme})},
		{"list of an id and an organisation", list(storage.UserQuery{ID: "user0000077", Organization: "org77"})},
		{"page of receipts that is sealed", func() {
			ok(s.settle(t.Context()))
			_, err := s.sealSome(t.Context(), &sealing{settled: s.sealing.settled})
			ok(err)
		}},
		{"look for receipts to seal", func() { _, _, err := s.toSeal(t.Context()); ok(err) }},
		{"page of a walk", func() { _, _, err := s.walkFrom(t.Context(), 0, 1<<40); ok(err) }},
		{"hashes of the log", func() { _, err := keptHashes{s: s}.Hashes(t.Context(), []int64{1, 77}); ok(err) }},
		{"sealed receipt", func() { _, err := s.sealedReceipt(t.Context(), md5.Sum([]byte("r7"))); ok(err) }},
	}
}

// checkPlans demands that no statement reads a table or an index from end to end.
func checkPlans(t *testing.T, s *Store, statements map[string][]any) {
	t.Helper()
	for sql, arguments := range statements {
		if strings.Contains(sql, "pg_stat") {
			continue
		}
		plan := planOf(t, s, sql, len(arguments))
		for _, table := range []string{"person", "work", "receipt", "audit", "receipt_log", "receipt_hash"} {
			if strings.Contains(strings.ReplaceAll(plan, "\n", " ")+" ", "Seq Scan on "+table+" ") || scansWhole(plan, table) && !strings.Contains(sql, "ORDER BY") {
				t.Errorf("%s is read from end to end:\n%s\n%s", table, sql, plan)
			}
		}
	}
}

// scansWhole reports whether a plan reads an index of a table from end to end.
func scansWhole(plan, table string) bool {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		if strings.Contains(line, "Scan using ") && strings.Contains(line+" ", " on "+table+" ") && !strings.Contains(append(lines, "")[i+1], "Index Cond: ") {
			return true
		}
	}
	return false
}
