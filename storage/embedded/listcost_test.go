package embedded

import (
	"fmt"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// steps runs a query and returns how many rows it has, and how many steps of SQLite's machine it takes.
func (db *database) steps(t *testing.T, sql string, args ...any) (rows, steps int) {
	t.Helper()
	stmt, _, err := db.conn.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if err := bind(stmt, nil, args); err != nil {
		t.Fatal(err)
	}
	for stmt.Step() {
		rows++
	}
	if err := stmt.Err(); err != nil {
		t.Fatal(err)
	}
	return rows, stmt.Status(sqlite3.STMTSTATUS_VM_STEP, false)
}

// A page far behind in a list costs what the first one does, and users who have ended cost a list of their organisation nothing.
func TestPagesCostTheSame(t *testing.T) {
	s := openTest(t, t.TempDir())
	const users = 12_000 // the first 3,000 have ended; every third is of another organisation
	for _, org := range []string{testOrg, testOrg2} {
		if _, err := s.AddOrganization(t.Context(), org, testBy); err != nil {
			t.Fatal(err)
		}
	}
	change(t, s, fmt.Sprintf(`BEGIN; INSERT INTO issuer VALUES (1, 'test');
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO user (uid, iid, id, organization, created, changed, sequence, receipt, removed, ended) SELECT i, 1, printf('user-%%06d', i),
		CASE i %% 3 WHEN 0 THEN '%[3]s' ELSE '%[2]s' END, i, i, 1, i, CASE WHEN i <= 3000 THEN 2 ELSE 0 END, CASE WHEN i <= 3000 THEN i END FROM n;
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO receipt SELECT i, i, randomblob(16), i, 1, NULL, 1, NULL, NULL FROM n; COMMIT`, users, testOrg, testOrg2))
	last := func(n int) string { return fmt.Sprintf("user-%06d", n) }
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, c := range []struct {
		name, sql string
		first     []any
		later     [][]any
	}{
		{"users", sqlListUsers, []any{"", int64(0), listRows}, [][]any{{last(5000), int64(1), listRows}, {last(10_000), int64(1), listRows}}},
		{"users of an organisation", sqlListMembers, []any{"", int64(0), listRows, testOrg},
			[][]any{{last(7000), int64(1), listRows, testOrg}, {last(10_000), int64(1), listRows, testOrg}}},
		{"receipts", sqlListReceipts, []any{int64(users + 1), listRows}, [][]any{{int64(6000), listRows}, {int64(1001), listRows}}},
	} {
		rows, first := s.db.steps(t, c.sql, c.first...)
		if rows != listRows {
			t.Errorf("%s: the first page looks at %d rows, want %d", c.name, rows, listRows)
		}
		for _, args := range c.later {
			if rows, steps := s.db.steps(t, c.sql, args...); rows != listRows || steps > 2*first || 2*steps < first {
				t.Errorf("%s behind %v: %d rows in %d steps, the first page in %d", c.name, args[0], rows, steps, first)
			}
		}
	}
}

// The trail is listed in the order of time, though changes and refusals have numbers of their own, and no page looks at more than its
// share.
func TestTrailIsMerged(t *testing.T) {
	s := openTest(t, t.TempDir())
	const changes, refusals = 1300, 1100
	change(t, s, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO audit SELECT i, 3 * i, 'a' || (i %% 7), 'done', 'c', '', 'acme', '', '', 0 FROM n;
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO refusal SELECT i, 1 + 2 * i, 'r', 'no', 'c', '', 'acme', '', '', 0 FROM n`, changes, refusals))
	for _, tt := range []struct {
		q    storage.AuditQuery
		want int
	}{
		{storage.AuditQuery{}, changes + refusals},
		{storage.AuditQuery{Kind: storage.ChangesOnly}, changes},
		{storage.AuditQuery{Kind: storage.Refusals}, refusals},
		{storage.AuditQuery{Action: "a3"}, changes/7 + 1},
		{storage.AuditQuery{Action: "nothing"}, 0},
	} {
		rows, last, empty := 0, int64(0), 0
		for q := tt.q; ; {
			page, err := s.ListAudit(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			looked := page.Next.Changes - q.After.Changes + page.Next.Refusals - q.After.Refusals
			if len(page.Records) > storage.MaxPage || looked > listRows || page.More && looked < storage.MaxPage {
				t.Errorf("%+v: a page has %d records and looked at %d", q, len(page.Records), looked)
			}
			for _, r := range page.Records {
				if r.Time < last {
					t.Errorf("%+v: a record of the time %d behind one of %d", q, r.Time, last)
				}
				last = r.Time
			}
			rows += len(page.Records)
			if q.After = page.Next; !page.More {
				if empty++; empty == 2 { // the list can be followed from its end
					break
				}
			}
		}
		if rows != tt.want {
			t.Errorf("%+v: %d records, want %d", tt.q, rows, tt.want)
		}
	}
}
