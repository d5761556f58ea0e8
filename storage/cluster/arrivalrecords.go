package cluster

import (
	"context"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	sqlArriveMove = `INSERT INTO issuer_move (from_url, to_url) SELECT $1, $2 WHERE (SELECT count(*) FROM issuer_move) = $3`

	sqlArriveReceipt = `
WITH r AS (
   INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at, org, caller, caller_org, request)
   VALUES ($1, $2, $3, $4, $5, $5, nullif($6, ''), nullif($7, ''), nullif($8, ''), nullif($9, '')) ON CONFLICT (gen) DO NOTHING
   RETURNING uid, gen)
UPDATE person SET receipt = r.gen FROM r WHERE person.uid = r.uid`

	sqlArriveHorizon = `UPDATE installation SET horizon = $1, pruned = (SELECT coalesce(max(n), 0) FROM receipt WHERE begun_at < $1)`
)

func isStore(record storage.Record) bool {
	_, is := record.(storage.StoreRecord)
	return is
}

// Note implements [storage.Arrival]. What is here already stays: moves of issuers by their order, receipts by what they are of, and
// the trail by its numbers, of which the newest are on record with it.
func (a *arrival) Note(ctx context.Context, records []storage.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := new(pgx.Batch)
	if len(records) > 0 && isStore(records[0]) { // a pass begins; the answer to the last transaction of the one before may have been lost
		a.moves = 0
		if err := a.pool.QueryRow(ctx, `SELECT trail, refusals FROM arrival`).Scan(&a.trail[0], &a.trail[1]); err != nil {
			return err
		}
	}
	trail, moves := a.trail, a.moves
	for _, record := range records {
		switch r := record.(type) {
		case storage.IssuerMoveRecord:
			batch.Queue(sqlArriveMove, r.From, r.To, moves)
			moves++
		case storage.OrganizationRecord:
			batch.Queue(sqlImportOrganization, r.ID, micros(r.Created), !r.State.On(), r.State.Refuses())
		case storage.ReceiptRecord:
			batch.Queue(sqlArriveReceipt, receiptArguments(r, r.User)...)
		case storage.AuditRecord:
			kind := 0
			if r.Refusal {
				kind = 1
			}
			if r.Number <= trail[kind] {
				continue
			}
			trail[kind] = r.Number
			batch.Queue(sqlImportAudit, micros(r.Time), withoutNUL(r.Action), withoutNUL(r.Result), withoutNUL(r.Caller), withoutNUL(r.CallerOrganization),
				withoutNUL(r.Organization), withoutNUL(r.Target), withoutNUL(r.Request), r.Dropped, r.Refusal)
		case storage.EndRecord:
			if r.Horizon != 0 {
				batch.Queue(sqlArriveHorizon, micros(r.Horizon))
			}
		}
	}
	if trail != a.trail {
		batch.Queue(`UPDATE arrival SET trail = $1, refusals = $2`, trail[0], trail[1])
	}
	if batch.Len() > 0 { // one transaction
		if err := a.pool.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
	}
	a.trail, a.moves = trail, moves
	return nil
}
