package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	exportPage = 128
	// exportRounds is how often receipts that came meanwhile are looked for, before the export ends with those there are.
	exportRounds = 16
	// settleLimit is how long transactions that were running may take to end.
	settleLimit = time.Minute
)

// Export implements [storage.Keeper]. It reads page by page, in short transactions that hold nobody up. Who was changed by an erasure
// meanwhile, the receipts tell; their records are written again.
func (s *Store) Export(ctx context.Context, o storage.ExportOptions, to func(storage.Record) error) error {
	if o.Since != nil && !o.ReceiptsOnly {
		return errors.New("only receipts go on from another backup")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	x := &export{s: s, o: o, to: to, issuers: map[int64]bool{}, organizations: map[string]storage.OrganizationRecord{}}
	return x.run(ctx)
}

// export is one under way.
type export struct {
	s             *Store
	o             storage.ExportOptions
	to            func(storage.Record) error
	counts        storage.RecordCounts
	totals        storage.ExportTotals
	store         storage.StoreRecord
	issuers       map[int64]bool                        // written
	issuerMoves   int                                   // so many there were
	organizations map[string]storage.OrganizationRecord // as written
	written       bits                                  // users
	ended         bits                                  // those of them who had ended then
	receipt       int64                                 // the newest that is written
	generation    [16]byte                              // what it is of
}

// bits is a set of numbers that are not much larger than there are of them.
type bits []uint64

func (b *bits) add(n int64) {
	for int64(len(*b)) <= n/64 {
		*b = append(*b, make([]uint64, len(*b)+16)...)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bits) has(n int64) bool { return n/64 < int64(len(b)) && b[n/64]&(1<<(n%64)) != 0 }

func (x *export) write(record storage.Record) error {
	x.counts.Count(record)
	return x.to(record)
}

func (x *export) run(ctx context.Context) error {
	if err := x.begin(ctx); err != nil {
		return err
	}
	if !x.o.ReceiptsOnly {
		if err := x.writeUsers(ctx); err != nil {
			return err
		}
	}
	ended, err := x.writeReceipts(ctx)
	if err != nil {
		return err
	}
	if err := x.writeTombstones(ctx); err != nil {
		return err
	}
	if err := x.writeRest(ctx); err != nil {
		return err
	}
	horizon, err := x.horizon(ctx)
	if err != nil {
		return err
	}
	return x.write(storage.EndRecord{Horizon: horizon, Ended: ended.UnixMicro(), Counts: x.counts, Totals: x.totals, Newest: x.receipt, Generation: x.generation})
}

// horizon is asked for behind the last receipt, as some may be removed while the export is made.
func (x *export) horizon(ctx context.Context) (int64, error) {
	var at *time.Time
	if err := x.s.pool.QueryRow(ctx, `SELECT horizon FROM installation`).Scan(&at); err != nil || at == nil {
		return 0, unavailable(ctx, err)
	}
	return at.UnixMicro(), nil
}

// moment is a point in time at which it is known which receipts there are.
type moment struct {
	at      time.Time
	receipt int64 // the newest; no lower one can come any more
}

// sqlMoment has the newest number, and a number of a transaction that all have which began before: one that has begun may be beyond what the snapshot
// knows.
const sqlMoment = `
SELECT pg_current_xact_id()::text,
       greatest((SELECT coalesce(max(n), 0) FROM receipt), (SELECT coalesce(max(n), 0) FROM work))`

// moment waits until all transactions have ended that might have a lower number than the newest that it sees.
func (x *export) moment(ctx context.Context) (m moment, err error) {
	m.at = x.s.date()
	var next string
	if err := x.s.pool.QueryRow(ctx, sqlMoment).Scan(&next, &m.receipt); err != nil {
		return m, unavailable(ctx, err)
	}
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for {
		var settled bool
		err := x.s.pool.QueryRow(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8`, next).Scan(&settled)
		if err != nil {
			return m, unavailable(ctx, err)
		}
		if settled {
			return m, nil
		}
		if !sleep(limited, 5*time.Millisecond) {
			if ctx.Err() != nil {
				return m, ctx.Err()
			}
			return m, fmt.Errorf("%w: a transaction in the database has been running for more than %s", storage.ErrUnavailable, settleLimit)
		}
	}
}

// begin writes the first records.
func (x *export) begin(ctx context.Context) error {
	m, err := x.moment(ctx)
	if err != nil {
		return err
	}
	x.store = storage.StoreRecord{ReceiptsOnly: x.o.ReceiptsOnly, Began: m.at.UnixMicro(), Receipts: m.receipt}
	var id []byte
	err = x.s.pool.QueryRow(ctx, `SELECT id, (SELECT coalesce(max(uid), 0) FROM person) FROM installation`).
		Scan(&id, &x.store.LastUser)
	if err != nil {
		return unavailable(ctx, err)
	}
	x.store.ID = [16]byte(id)
	if x.o.Since != nil {
		if err := x.goOn(ctx, *x.o.Since); err != nil {
			return err
		}
	}
	if err := x.write(x.store); err != nil {
		return err
	}
	moves, err := x.issuerMovesNow(ctx)
	if err != nil {
		return err
	}
	x.issuerMoves = len(moves)
	for _, m := range moves {
		if err := x.write(m); err != nil {
			return err
		}
	}
	return nil
}

// goOn notes where another export has ended, if this store goes on from there.
func (x *export) goOn(ctx context.Context, since storage.ExportPosition) error {
	if since.Store != hex.EncodeToString(x.store.ID[:]) {
		return fmt.Errorf("%w: it is of another store", storage.ErrCannotGoOn)
	}
	x.store.Since, x.store.SinceTime, x.receipt = since.Receipt, since.Ended.UnixMicro(), since.Receipt
	if since.Receipt == 0 {
		return nil
	}
	var gen []byte
	var pruned int64
	err := x.s.pool.QueryRow(ctx, `SELECT pruned, coalesce((SELECT gen FROM receipt WHERE n = $1), (SELECT gen FROM work WHERE n = $1 AND state = 3))
		FROM installation`, since.Receipt).Scan(&pruned, &gen)
	switch {
	case err == nil && (pruned > since.Receipt || pruned == since.Receipt && gen == nil):
		return fmt.Errorf("%w; write one with all receipts", storage.ErrReceiptsGone)
	case err == nil && hex.EncodeToString(gen) != since.Generation:
		return fmt.Errorf("%w: it has no receipt %d of that picture", storage.ErrCannotGoOn, since.Receipt)
	case err != nil:
		return unavailable(ctx, err)
	}
	x.generation = [16]byte(gen)
	return nil
}

func (x *export) issuerMovesNow(ctx context.Context) (moves []storage.IssuerMoveRecord, err error) {
	rows, err := x.s.pool.Query(ctx, `SELECT from_url, to_url FROM issuer_move ORDER BY n`)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	moves, err = pgx.CollectRows(rows, pgx.RowToStructByPos[storage.IssuerMoveRecord])
	return moves, unavailable(ctx, err)
}

const sqlReceipts = `
SELECT n, uid, gen, begun_at, reason, coalesce(org, ''), coalesce(caller, ''), coalesce(caller_org, ''), coalesce(request, '') FROM (
   (SELECT n, uid, gen, begun_at, reason, org, caller, caller_org, request FROM receipt WHERE n > $1 AND n <= $2 ORDER BY n LIMIT $3)
   UNION ALL
   (SELECT n, uid, gen, begun_at, reason, org, caller, caller_org, request FROM work WHERE state = 3 AND n > $1 AND n <= $2 ORDER BY n LIMIT $3)) r
 ORDER BY n LIMIT $3`

// writeReceipts writes all receipts, those that are to come included, and before them the people who have changed since their record was
// written. It returns the moment of the end.
func (x *export) writeReceipts(ctx context.Context) (ended time.Time, err error) {
	for round := 1; ; round++ {
		m, err := x.moment(ctx)
		if err != nil {
			return ended, err
		}
		if m.receipt <= x.receipt {
			return m.at, nil
		}
		for x.receipt < m.receipt {
			more, err := x.writeReceiptPage(ctx, m.receipt, round < exportRounds)
			if err != nil {
				return ended, err
			}
			if !more {
				break
			}
		}
		if round == exportRounds {
			return m.at, nil
		}
	}
}

func (x *export) writeReceiptPage(ctx context.Context, last int64, withBytes bool) (more bool, err error) {
	rows, err := x.s.pool.Query(ctx, sqlReceipts, x.receipt, last, exportPage)
	if err != nil {
		return false, unavailable(ctx, err)
	}
	var page []storage.ReceiptRecord
	var r storage.ReceiptRecord
	var gen []byte
	var at time.Time
	into := []any{&r.Number, &r.User, &gen, &at, &r.Reason, &r.Organization, &r.Caller, &r.CallerOrganization, &r.Request}
	_, err = pgx.ForEachRow(rows, into, func() error {
		r.Generation, r.Time = [16]byte(gen), at.UnixMicro()
		page = append(page, r)
		return nil
	})
	if err != nil {
		return false, unavailable(ctx, err)
	}
	var changed []int64
	for _, r := range page {
		if r.Number > x.store.Receipts || !x.written.has(r.User) {
			changed = append(changed, r.User)
		}
	}
	if len(changed) > 0 {
		people, err := x.people(ctx, ` WHERE p.uid = ANY($1) ORDER BY p.uid`, changed)
		if err != nil {
			return false, err
		}
		if err := x.writePage(ctx, people, withBytes); err != nil {
			return false, err
		}
		x.totals.Changed += int64(len(people))
	}
	for _, r := range page {
		if err := x.write(r); err != nil {
			return false, err
		}
		x.receipt, x.generation = r.Number, r.Generation
	}
	return len(page) > 0, nil
}

// writeRest writes organisations without people, and the audit trail.
func (x *export) writeRest(ctx context.Context) error {
	moves, err := x.issuerMovesNow(ctx)
	if err != nil {
		return err
	}
	if len(moves) != x.issuerMoves {
		return fmt.Errorf("%w: the users of an issuer were given to another while the backup was made; make it again", storage.ErrUnavailable)
	}
	if err := x.writeOrganizations(ctx); err != nil || x.o.ReceiptsOnly && !x.o.Trail {
		return err
	}
	return x.writeAudit(ctx)
}

func (x *export) writeOrganizations(ctx context.Context) error {
	for last := ""; ; {
		rows, err := x.s.pool.Query(ctx, `SELECT id, created_at, removed, ended FROM organization WHERE id > $1 ORDER BY id LIMIT $2`, last, exportPage)
		if err != nil {
			return unavailable(ctx, err)
		}
		var page []storage.OrganizationRecord // whole before it is written: writing takes as long as the reader takes
		var o storage.OrganizationRecord
		var created time.Time
		var removed, ended bool
		_, err = pgx.ForEachRow(rows, []any{&o.ID, &created, &removed, &ended}, func() error {
			o.Created, o.State, last = created.UnixMicro(), stateOf(removed, ended), o.ID
			page = append(page, o)
			return nil
		})
		if err != nil {
			return unavailable(ctx, err)
		}
		for _, o := range page {
			if err := x.writeOrganization(o); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
	}
}

func (x *export) writeAudit(ctx context.Context) error {
	after := x.o.TrailAfter
	for last := min(after.Changes, after.Refusals); ; {
		rows, err := x.s.pool.Query(ctx, `SELECT n, at, action, result, caller, caller_org, org, target, request, dropped, refusal FROM audit
			WHERE n > $1 AND n > CASE WHEN refusal THEN $3::bigint ELSE $4 END ORDER BY n LIMIT $2`, last, exportPage, after.Refusals, after.Changes)
		if err != nil {
			return unavailable(ctx, err)
		}
		var page []storage.AuditRecord // likewise
		var r storage.AuditRecord
		var at time.Time
		into := []any{&r.Number, &at, &r.Action, &r.Result, &r.Caller, &r.CallerOrganization, &r.Organization, &r.Target, &r.Request, &r.Dropped, &r.Refusal}
		_, err = pgx.ForEachRow(rows, into, func() error {
			r.Time, last = at.UnixMicro(), r.Number
			page = append(page, r)
			return nil
		})
		if err != nil {
			return unavailable(ctx, err)
		}
		for _, r := range page {
			if err := x.write(r); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
	}
}
