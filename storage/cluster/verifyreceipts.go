package cluster

import (
	"context"
	"fmt"
	"iter"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// countPage is how many receipts one statement counts.
const countPage = 10_000

// sqlCountUnsealed looks at some receipts behind a number, and counts those without a place.
const sqlCountUnsealed = `
SELECT coalesce(max(n), 0), count(*), count(*) FILTER (WHERE (SELECT place FROM receipt_log l WHERE l.receipt = w.n) IS NULL)
  FROM (SELECT n FROM receipt WHERE n > $1 ORDER BY n LIMIT $2) w`

// VerifyReceipts implements [storage.Prover]. It reads page by page, up to the head that it saw at first: the log only grows, so no snapshot has
// to be held.
func (s *Store) VerifyReceipts(ctx context.Context, noted []string) (storage.ReceiptReport, error) {
	report, err := attend(ctx, s, func(ctx context.Context) (storage.ReceiptReport, error) { return s.verifyReceipts(ctx, noted) })
	if err != nil {
		return report, fmt.Errorf("verify receipts: %w", err)
	}
	return report, nil
}

func (s *Store) verifyReceipts(ctx context.Context, noted []string) (report storage.ReceiptReport, err error) {
	row, err := readHeadRow(ctx, s.pool)
	if err != nil {
		return report, err
	}
	log, err := row.open()
	if err != nil {
		return report, err
	}
	report.Head = log.SignedHead
	walk := receiptlog.Walk{Head: log.Head, Hashes: keptHashes{s: s, lenient: true}, Rows: s.walk(ctx, log.Size)}
	for _, text := range noted {
		head, err := receiptlog.OpenHead([]byte(text), log.Key)
		if err != nil {
			return report, err
		}
		walk.Noted = append(walk.Noted, head)
	}
	if report.Unsealed, err = s.countUnsealed(ctx); err != nil {
		return report, err
	}
	if report.Report, err = receiptlog.Verify(ctx, walk); err != nil {
		return report, err
	}
	if row.places > log.Size { // in the same moment as the head
		return report, &receiptlog.FaultError{Kind: receiptlog.Inserted, Index: log.Size, End: row.places}
	}
	return report, nil
}

// walk returns all places of a log of that size. A receipt that is gone without having been dropped for its age is left out.
func (s *Store) walk(ctx context.Context, size int64) iter.Seq2[receiptlog.Row, error] {
	return func(yield func(receiptlog.Row, error) bool) {
		var moves issuerMoves
		for at, more := int64(0), true; more; {
			page, kept, err := s.walkFrom(ctx, at, size)
			if err != nil {
				yield(receiptlog.Row{}, err)
				return
			}
			for i := range page {
				r := &page[i]
				if moves, err = s.issuerMovesFor(ctx, r, moves); err != nil {
					yield(receiptlog.Row{}, err)
					return
				}
				if row, there := r.row(moves, kept); there && !yield(row, nil) {
					return
				}
				at = r.place + 1
			}
			more = len(page) == walkPage
		}
	}
}

// row is what a walk sees at a place; there is false where a receipt is missing.
func (r *sealedReceipt) row(moves issuerMoves, kept map[int64]receiptlog.Hash) (row receiptlog.Row, there bool) {
	row.Index = r.place
	switch {
	case r.dropped && r.pruned:
		row.Hash = kept[r.place]
	case r.gen == nil:
		return row, false
	default:
		leaf := r.leaf(moves)
		row.Leaf = &leaf
	}
	return row, true
}

// walkFrom reads some places, and the hashes of those whose records were dropped.
func (s *Store) walkFrom(ctx context.Context, at, size int64) (page []sealedReceipt, kept map[int64]receiptlog.Hash, err error) {
	rows, err := s.pool.Query(ctx, sqlSealedPage, at, size)
	if err != nil {
		return nil, nil, err
	}
	if page, err = new(sealedReceipt).scan(rows); err != nil {
		return nil, nil, err
	}
	var places, numbers []int64
	for _, r := range page {
		if r.dropped {
			places, numbers = append(places, r.place), append(numbers, receiptlog.LeafHashIndex(r.place))
		}
	}
	if len(numbers) == 0 {
		return page, nil, nil
	}
	hashes, err := keptHashes{s: s, lenient: true}.Hashes(ctx, numbers)
	kept = make(map[int64]receiptlog.Hash, len(hashes))
	for i, hash := range hashes {
		kept[places[i]] = hash
	}
	return page, kept, err
}

// countUnsealed counts the receipts that have no place.
func (s *Store) countUnsealed(ctx context.Context) (unsealed int64, err error) {
	for at := int64(0); ; {
		var looked, more int64
		err := s.pool.QueryRow(ctx, sqlCountUnsealed, at, countPage).Scan(&at, &looked, &more)
		if err != nil {
			return 0, err
		}
		if unsealed += more; looked < countPage {
			return unsealed, nil
		}
	}
}
