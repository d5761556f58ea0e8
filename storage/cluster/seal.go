package cluster

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/internal/envelope"
	"example.org/avatard/storage/receiptlog"
)

const (
	sqlLockHead = `SELECT FROM receipt_head FOR UPDATE`

	// sqlUndoneUpTo finds erasures that are not done. It comes before the receipts: what is done in between is found there.
	sqlUndoneUpTo = `SELECT n FROM work WHERE state = 3 AND n <= $1 AND due > '-infinity' LIMIT $2`

	// sqlUnsealed finds receipts without a place: some behind a number, and those of erasures that took long.
	sqlUnsealed = `
SELECT r.n, r.n > $1, r.gen, r.begun_at, r.reason, r.org IS NULL, coalesce(r.org, p.org), coalesce(r.caller, ''), coalesce(r.caller_org, ''), coalesce(r.request, ''), i.url, p.id
  FROM (SELECT * FROM (SELECT * FROM receipt r WHERE n > $1 AND (SELECT place FROM receipt_log l WHERE l.receipt = r.n) IS NULL ORDER BY n LIMIT $2) f
         UNION ALL
        SELECT * FROM receipt r WHERE n <= $1 AND n = ANY($3::bigint[]) AND (SELECT place FROM receipt_log l WHERE l.receipt = r.n) IS NULL) r
  JOIN LATERAL (SELECT iid, id, org FROM person WHERE uid = r.uid OFFSET 0) p ON true
  JOIN LATERAL (SELECT url FROM issuer WHERE iid = p.iid OFFSET 0) i ON true
 ORDER BY r.n`

	sqlAddPlaces = `
INSERT INTO receipt_log (place, receipt, issuer, user_salt, caller_salt, request_salt, caller, request)
SELECT $1 + o - 1, n, i, us, cs, rs, c, r FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[])
  WITH ORDINALITY u(n, i, us, cs, rs, c, r, o)`

	sqlAddHashes = `INSERT INTO receipt_hash (number, hash) SELECT $1 + o - 1, h FROM unnest($2::bytea[]) WITH ORDINALITY u(h, o)`

	// sqlKeepOrganization has receipts of a program of before keep the organisation that was sealed, whatever becomes of the user.
	sqlKeepOrganization = `UPDATE receipt SET org = u.org FROM unnest($1::bigint[], $2::text[]) u(n, org) WHERE receipt.n = u.n AND receipt.org IS NULL`

	sqlSetHead = `UPDATE receipt_head SET mark = $1, late = $2, key = $3, secret = $4, frontier = $5, head = $6`
)

// sealing is a run of transactions that seal.
type sealing struct {
	keys    *envelope.Keys
	skip    bool  // nothing is done while another process seals
	begin   bool  // the log begins also when there is nothing to seal
	settled int64 // no receipt up to here comes any more without being on record as an erasure
	from    int64 // the run has looked at all receipts up to here

	row    headRow
	undone []int64
	found  []unsealed
	full   bool
}

// unsealed is a receipt that has no place yet.
type unsealed struct {
	n      int64
	bare   bool // the receipt does not say the organisation
	entry  receiptlog.Entry
	behind bool // it is of the page, and not of an erasure that took long
}

// run makes a transaction. more tells whether there may be more to seal.
func (g *sealing) run(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	lock := sqlLockHead
	if g.skip {
		lock += ` SKIP LOCKED`
	}
	tag, err := tx.Exec(ctx, lock)
	if err != nil || g.skip && tag.RowsAffected() == 0 {
		return false, err
	}
	// Another statement reads it: the one that has waited may see some of it as it was before.
	if g.row, err = readHeadRow(ctx, tx); err != nil {
		return false, err
	}
	if err := g.find(ctx, tx); err != nil {
		return false, err
	}
	before := g.row
	before.late = slices.Clone(before.late)
	batch := new(pgx.Batch)
	if len(g.found) > 0 || g.begin && g.row.key == nil {
		if err := g.grow(batch); err != nil {
			return false, err
		}
	}
	g.advance()
	if g.row.mark != before.mark || !slices.Equal(g.row.late, before.late) || g.row.head != before.head {
		r := &g.row
		batch.Queue(sqlSetHead, r.mark, r.late, r.key, r.secret, r.frontier, r.head)
	}
	if batch.Len() == 0 {
		return false, nil
	}
	return g.full, tx.SendBatch(ctx, batch).Close()
}

// find looks for what is to be sealed.
func (g *sealing) find(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, sqlUndoneUpTo, g.settled, maxLate+1)
	if err != nil {
		return err
	}
	if g.undone, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, sqlUnsealed, max(g.row.mark, g.from), sealPage, g.row.late)
	if err != nil {
		return err
	}
	g.found, g.full = nil, false
	var u unsealed
	var r scannedReceipt
	page := 0
	into := []any{&u.n, &u.behind, &r.gen, &r.at, &r.reason, &u.bare, &r.Organization, &r.By.Caller, &r.By.CallerOrganization, &r.By.RequestID, &r.User.Issuer, &r.User.ID}
	_, err = pgx.ForEachRow(rows, into, func() error {
		u.entry = receiptlog.Entry{ID: [16]byte(r.gen), Time: r.at.UnixMicro(), Reason: int64(r.reason), Organization: r.Organization, Texts: receiptlog.Texts{
			Issuer: r.User.Issuer, User: r.User.ID, Caller: r.By.Caller, CallerOrganization: r.By.CallerOrganization, Request: r.By.RequestID}}
		if g.found = append(g.found, u); u.behind {
			page++
		}
		return nil
	})
	g.full = page == sealPage
	return err
}

// grow queues what puts the receipts that were found into the log, which begins where it has not.
func (g *sealing) grow(batch *pgx.Batch) error {
	log, err := g.row.openToGrow(g.keys)
	if err != nil {
		return err
	}
	defer clear(log.secret)
	entries := make([]receiptlog.Entry, len(g.found))
	for i, u := range g.found {
		entries[i] = u.entry
	}
	leaves := receiptlog.Seal(entries)
	grown, first, hashes := log.frontier.Append(leaves)
	if err := g.row.sign(log, grown); err != nil || len(leaves) == 0 {
		return err
	}
	n := make([]int64, len(entries))
	columns := make([][][]byte, 5)
	var issuers, organizations []string
	var bare []int64
	for i, u := range g.found {
		salts := entries[i].Salt.Fields()
		for c, value := range [][32]byte{salts.User, salts.Caller, salts.Request, leaves[i].Caller, leaves[i].Request} {
			columns[c] = append(columns[c], value[:])
		}
		n[i], issuers = u.n, append(issuers, u.entry.Texts.Issuer)
		if u.bare {
			bare, organizations = append(bare, u.n), append(organizations, u.entry.Organization)
		}
	}
	kept := make([][]byte, len(hashes))
	for i := range hashes {
		kept[i] = hashes[i][:]
	}
	batch.Queue(sqlAddPlaces, grown.Size()-int64(len(n)), n, issuers, columns[0], columns[1], columns[2], columns[3], columns[4])
	batch.Queue(sqlAddHashes, first, kept)
	if len(bare) > 0 {
		batch.Queue(sqlKeepOrganization, bare, organizations)
	}
	return nil
}

// advance moves the mark past what is sealed, as far as no lower number comes any more, and notes the erasures below it that are not done.
func (g *sealing) advance() {
	at := max(g.row.mark, g.from)
	reached := g.settled
	if g.full {
		g.from = lastBehind(g.found)
		reached = min(reached, g.from)
	}
	// Behind a gap that this run has looked at earlier, a receipt may have come since.
	if at == g.row.mark && reached > g.row.mark && len(g.undone) <= maxLate {
		g.row.mark = reached
		g.row.late = g.undone
	}
	sealed := make(map[int64]bool, len(g.found))
	for _, u := range g.found {
		sealed[u.n] = true
	}
	g.row.late = slices.DeleteFunc(g.row.late, func(n int64) bool { return sealed[n] || n > g.row.mark })
}

// lastBehind returns the last receipt of a page.
func lastBehind(found []unsealed) (n int64) {
	for _, u := range found {
		if u.behind {
			n = u.n
		}
	}
	return n
}
