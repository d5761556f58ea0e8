package cluster

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage/cluster/clustertest"
)

// explainer notes what PostgreSQL says of each statement that a store sends: how many pages it has touched, as EXPLAIN (ANALYZE, BUFFERS) tells
// of the very statement with its very arguments.
type explainer struct {
	tripCounter
	mu       sync.Mutex
	within   int // pages of what the server asked by itself for the statement that is under way: whether a row is there that is named
	explains []explained
	faults   []error
}

// explained is a statement that was executed.
type explained struct {
	sql   string
	pages int // of tables and indexes, found in memory or read
}

// explainAll lets the server explain all statements on connections to a database that are made from now on.
func explainAll(t *testing.T, servers *clustertest.Servers, database string) {
	t.Helper()
	conn := sqlOf(t, servers.DatabaseAddress(database))
	for _, setting := range []string{
		"session_preload_libraries = auto_explain", "auto_explain.log_min_duration = 0", "auto_explain.log_analyze = on",
		"auto_explain.log_buffers = on", "auto_explain.log_timing = off", "auto_explain.log_nested_statements = on",
		"auto_explain.log_format = json", "auto_explain.log_level = notice",
	} {
		if _, err := conn.Exec(t.Context(), "LOAD 'auto_explain'; ALTER DATABASE "+database+" SET "+setting, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
}

// TraceConnectStart implements pgx.ConnectTracer.
func (e *explainer) TraceConnectStart(ctx context.Context, d pgx.TraceConnectStartData) context.Context {
	before := d.ConnConfig.OnNotice
	d.ConnConfig.OnNotice = func(conn *pgconn.PgConn, n *pgconn.Notice) {
		if _, plan, ok := strings.Cut(n.Message, "plan:\n"); ok {
			e.note(plan)
		}
		before(conn, n)
	}
	return ctx
}

// TraceConnectEnd implements pgx.ConnectTracer.
func (*explainer) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) {}

// planNode is a part of a plan. Its pages are those of its parts, too.
type planNode struct {
	Kind  string     `json:"Node Type"`
	Name  string     `json:"Subplan Name"`
	Hit   int        `json:"Shared Hit Blocks"`
	Read  int        `json:"Shared Read Blocks"`
	Parts []planNode `json:"Plans"`
}

// pages are those of a plan. A WITH query runs by itself, or within the first part that scans it, and is counted there, too.
func (n *planNode) pages(top bool) (pages int) {
	if top || strings.HasPrefix(n.Name, "CTE ") {
		pages += n.Hit + n.Read
	}
	if n.Kind == "CTE Scan" {
		pages -= n.Hit + n.Read
	}
	for i := range n.Parts {
		pages += n.Parts[i].pages(false)
	}
	return pages
}

func (e *explainer) note(plan string) {
	var p struct {
		SQL  string   `json:"Query Text"`
		Plan planNode `json:"Plan"`
	}
	err := json.Unmarshal([]byte(plan), &p)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err != nil:
		e.faults = append(e.faults, err)
	case strings.HasPrefix(p.SQL, "SELECT 1 FROM ONLY"): // it is explained before the statement that it belongs to
		e.within += p.Plan.pages(true)
	default:
		e.explains = append(e.explains, explained{p.SQL, p.Plan.pages(true) + e.within})
		e.within = 0
	}
}

// take returns what was explained since it was called last.
func (e *explainer) take(t *testing.T) []explained {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.explains
	e.explains = nil
	if len(e.faults) > 0 {
		t.Fatal(e.faults)
	}
	return taken
}
