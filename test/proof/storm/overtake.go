package main

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// overtake makes a change whose time is over while it waits for the user's row, and another one through another replica, which waits for
// the row too. Then the sessions that still wait for the first one are ended, as an administrator does, and the row is let go. The first
// one has had its answer before the second began: nothing of it may take effect any more.
func (p *person) overtake(ctx context.Context, r, other *replica) {
	held := p.w.holdRow(ctx, p.ID)
	defer held.release(ctx)
	p.hurry = true
	first := p.upload(r)
	if p.random.IntN(2) == 0 {
		first = p.remove(r)
	}
	p.hurry = false
	first.patience = 0
	if p.settle(p.make(ctx, first)) {
		return // the row was not locked
	}
	early := held.waiting(ctx)
	second := p.upload
	if first.picture != none {
		second = p.remove
	}
	answered := make(chan outcome, 1)
	go func(c change) { answered <- p.make(ctx, c) }(second(other))
	for range 20 {
		if pause(ctx, 10*time.Millisecond); len(held.waiting(ctx, early...)) > len(early) {
			break
		}
	}
	held.end(ctx, early)
	held.release(ctx)
	p.settle(<-answered)
	pause(ctx, 400*time.Millisecond) // long enough for something to be tried again
	p.read(ctx, other)
}

// holdLimit is how long it may take to lock a row, and to ask about those who wait.
const holdLimit = time.Second

// heldRow is a session that has locked a user's row.
type heldRow struct {
	conn *pgx.Conn // nil = the database could not be asked, and nothing is locked
	pid  int32
}

// holdRow locks a user's row, as a slow session of an administrator does.
func (w *world) holdRow(ctx context.Context, user string) *heldRow {
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	conn, err := w.query(ctx)
	if err != nil {
		return new(heldRow)
	}
	h := &heldRow{conn: conn, pid: int32(conn.PgConn().PID())}
	if tx, err := conn.Begin(ctx); err == nil {
		_, _ = tx.Exec(ctx, `SELECT FROM person WHERE id = $1 FOR UPDATE`, user)
	}
	return h
}

// release lets the row go.
func (h *heldRow) release(ctx context.Context) {
	if h.conn != nil {
		_ = h.conn.Close(ctx)
	}
}

// waiting returns the sessions that wait for the row, or for one of the others.
func (h *heldRow) waiting(ctx context.Context, others ...int32) (pids []int32) {
	if h.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	rows, err := h.conn.Query(ctx, `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pg_blocking_pids(pid) && $1`, append(slices.Clone(others), h.pid))
	if err != nil {
		return nil
	}
	pids, _ = pgx.CollectRows(rows, pgx.RowTo[int32])
	return pids
}

// end ends sessions.
func (h *heldRow) end(ctx context.Context, pids []int32) {
	if h.conn == nil || len(pids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, holdLimit)
	defer cancel()
	_, _ = h.conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid`, pids)
}
