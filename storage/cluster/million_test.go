package cluster

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/internal/bucket"
)

var people = flag.Int("people", 20_000, "people among whom TestCostAmongMany measures calls")

const (
	// deadWork is how many rows of work are dead before anything is measured, among few people and among many.
	deadWork = 20_000
	// measuredUsers make each call once; figures are medians of theirs.
	measuredUsers = 15
)

// deeper is how many pages more a statement may touch among many people: one for each search of an index, or entry into it, of a table that
// grows with people, as those indexes have one level more.
var deeper = map[string]int{"reserve": 3, "activate": 3, "read": 1, "intent": 3, "look": 1, "done": 3}

// statementNames are the statements of the calls that are measured.
var statementNames = map[string]string{
	sqlReserve: "reserve", sqlActivate: "activate", sqlRead: "read", sqlIntend: "intent", sqlLook: "look", sqlDone: "done",
}

// callCost is what a call takes.
type callCost struct {
	statements []string
	pages      []int // of each
	requests   bucket.Counts
}

// What calls cost does not depend on how many people there are: statements and requests to the bucket are the same, and each statement touches
// the same pages but for the deeper level of indexes. So it is before PostgreSQL has looked at the tables, when it has, and while
// somebody's long transaction keeps all rows that were ever dead.
func TestCostAmongMany(t *testing.T) {
	few, many := costsAmong(t, 1000), costsAmong(t, *people)
	for _, state := range slices.Sorted(maps.Keys(few)) {
		for _, call := range slices.Sorted(maps.Keys(few[state])) {
			a, b := few[state][call], many[state][call]
			t.Logf("%s, %s: %v, pages %v among 1000 people, %v among %d; requests %+v", state, call, a.statements, a.pages, b.pages, *people, b.requests)
			if !slices.Equal(a.statements, b.statements) || a.requests != b.requests {
				t.Errorf("%s, %s: %v and %+v among 1000 people, %v and %+v among %d", state, call, a.statements, a.requests, b.statements, b.requests, *people)
				continue
			}
			for i, name := range a.statements {
				if b.pages[i] > a.pages[i]+deeper[name] {
					t.Errorf("%s, %s: %s touches %d pages among %d people, %d among 1000, want at most %d more", state, call, name, b.pages[i], *people, a.pages[i], deeper[name])
				}
			}
		}
	}
}

// costsAmong returns what calls cost in three states of the tables.
func costsAmong(t *testing.T, people int) map[string]map[string]callCost {
	t.Helper()
	o := options(t, true)
	s := openStore(t, o)
	settle(t, o)
	crowd(t, s, people)
	explainAll(t, servers, o.Bucket.Bucket)
	explains := new(explainer)
	o.tracer, o.Connections = explains, 1
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	s.sweeping() // what the sweeper asks would be counted, too
	leaveDead(t, o, deadWork)
	costs := map[string]map[string]callCost{"1 not analysed": costsOfCalls(t, s, explains, "a")}
	wantNoBitmaps(t, s)
	if _, err := sql(t, o).Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	costs["2 analysed"] = costsOfCalls(t, s, explains, "b")
	if people > 1000 { // else hardly a page is full, and for one that is not PostgreSQL looks twice
		wantEqualPages(t, s, explains, people)
	}
	release := holdSnapshot(t, o)
	leaveDead(t, o, deadWork)
	costs["3 dead rows are kept"] = costsOfCalls(t, s, explains, "c")
	release()
	return costs
}

// settle keeps PostgreSQL from tidying up by itself, at times of its own.
func settle(t *testing.T, o Options) {
	t.Helper()
	for _, table := range []string{"person", "work", "receipt", "audit"} {
		if _, err := sql(t, o).Exec(t.Context(), `ALTER TABLE `+table+` SET (autovacuum_enabled = false)`); err != nil {
			t.Fatal(err)
		}
	}
}

// wantNoBitmaps demands that no plan combines indexes: of a table that the planner knows nothing of it would read half of one.
func wantNoBitmaps(t *testing.T, s *Store) {
	t.Helper()
	for statement, name := range statementNames {
		arguments := 0
		for strings.Contains(statement, fmt.Sprint("$", arguments+1)) {
			arguments++
		}
		if plan := planOf(t, s, statement, arguments); strings.Contains(plan, "Bitmap") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

// holdSnapshot begins a transaction that may still look at every row there is, as a backup does, until release is called.
func holdSnapshot(t *testing.T, o Options) (release func()) {
	t.Helper()
	tx, err := sql(t, o).BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM work`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// costsOfCalls makes each call for some users, and returns the medians.
func costsOfCalls(t *testing.T, s *Store, explains *explainer, prefix string) map[string]callCost {
	t.Helper()
	all := map[string][]callCost{}
	for i := range measuredUsers + 1 {
		u := addUser(t, s, fmt.Sprint(prefix, "-", i))
		for _, c := range []struct {
			name string
			call func() error
		}{
			{"upload", func() error { _, err := s.Put(t.Context(), uploadOf(u, 3000)); return err }},
			{"read", func() error { _, err := s.Get(t.Context(), u, acme); return err }},
			{"replacement", func() error { _, err := s.Put(t.Context(), uploadOf(u, 3000)); return err }},
			{"delete", func() error { _, err := s.Remove(t.Context(), removalOf(u)); return err }},
			{"delete of nothing", func() error { _, err := s.Remove(t.Context(), removalOf(u)); return err }},
		} {
			explains.take(t)
			was := s.bucket.Requests.Counts()
			if err := c.call(); err != nil {
				t.Fatal(err)
			}
			now, cost := s.bucket.Requests.Counts(), callCost{}
			cost.requests = bucket.Counts{Put: now.Put - was.Put, Get: now.Get - was.Get, Delete: now.Delete - was.Delete, List: now.List - was.List}
			for _, e := range explains.take(t) {
				cost.statements, cost.pages = append(cost.statements, statementNames[e.sql]), append(cost.pages, e.pages)
			}
			if i > 0 { // the first time prepares the statements
				all[c.name] = append(all[c.name], cost)
			}
		}
	}
	medians := map[string]callCost{}
	for name, costs := range all {
		medians[name] = medianCost(t, name, costs)
	}
	return medians
}

// medianCost returns the median of the pages of each statement. Everything else has to be the same each time.
func medianCost(t *testing.T, name string, costs []callCost) callCost {
	t.Helper()
	median := costs[0]
	median.pages = slices.Clone(median.pages)
	for i := range median.pages {
		var pages []int
		for _, c := range costs {
			if !slices.Equal(c.statements, median.statements) || c.requests != median.requests {
				t.Fatalf("%s: %+v, and another time %+v", name, c, median)
			}
			pages = append(pages, c.pages[i])
		}
		slices.Sort(pages)
		median.pages[i] = pages[len(pages)/2]
	}
	return median
}
