package embedded

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// verifyRows is how many rows a walk over the log reads at once: a few milliseconds, for which changes wait.
const verifyRows = 256

// VerifyReceipts implements [storage.Prover]. It reads the log as the database has it; what the committer remembers of it does not count.
func (s *Store) VerifyReceipts(ctx context.Context, noted []string) (report storage.ReceiptReport, err error) {
	var log storedLog
	if err = ctx.Err(); err == nil {
		err = s.look(func(db *database) (err error) { log, err = db.storedLog(); return err })
	}
	if err == nil {
		report, err = s.verifyLog(ctx, log, noted)
	}
	if err != nil {
		err = fmt.Errorf("verify receipts: %w", err)
	}
	return report, err
}

func (s *Store) verifyLog(ctx context.Context, log storedLog, noted []string) (report storage.ReceiptReport, err error) {
	if !log.begun && log.places == 0 {
		return report, storage.ErrNotSealed
	}
	_, key, err := readLogKey(s.sealing.path, s.sealing.origin)
	if err != nil {
		return report, err
	}
	head, err := log.check(key)
	if err != nil {
		return report, err
	}
	report.Head = storage.SignedHead{Text: log.text, Key: key}
	walk := receiptlog.Walk{Head: head, Rows: s.sealedRows(ctx, head.Size), Hashes: keptHashes{s}}
	for _, text := range noted {
		old, err := receiptlog.OpenHead([]byte(text), key)
		if err != nil {
			return report, err
		}
		walk.Noted = append(walk.Noted, old)
	}
	if report.Report, err = receiptlog.Verify(ctx, walk); err != nil {
		return report, err
	}
	if f, err := receiptlog.ParseFrontier(log.frontier); err != nil || f.Size() != head.Size || f.Root() != head.Root {
		return report, &receiptlog.FaultError{Kind: receiptlog.HeadAltered, End: head.Size}
	}
	report.Unsealed, err = s.countUnsealed(ctx)
	return report, err
}

// sealedRows walks over the places of the log. One whose receipt is not there, and was not dropped because of its age, is left out.
func (s *Store) sealedRows(ctx context.Context, size int64) iter.Seq2[receiptlog.Row, error] {
	return func(yield func(receiptlog.Row, error) bool) {
		for next, more := int64(0), true; more; {
			var page []sealedReceipt
			err := ctx.Err()
			if err == nil {
				err = s.look(func(db *database) error {
					return db.once(sqlSealedPlaces, func(row *sqlite3.Stmt) bool {
						page = append(page, scanSealed(row))
						return true
					}, next, size, verifyRows)
				})
			}
			if err != nil {
				yield(receiptlog.Row{}, err)
				return
			}
			for _, p := range page {
				if next = p.Index + 1; p.gone && !p.old {
					continue
				}
				if !yield(p.Row, nil) {
					return
				}
			}
			more = len(page) == verifyRows
		}
	}
}

// countUnsealed counts receipts that have no place. One that was passed by, and is not noted as unfinished, was not there when it was its
// turn, or its place was taken away.
func (s *Store) countUnsealed(ctx context.Context) (unsealed int64, err error) {
	var from, newest int64
	err = s.look(func(db *database) error {
		return db.once(`SELECT ifnull(min(seq), 1) - 1, ifnull(max(seq), 0) FROM receipt`, func(row *sqlite3.Stmt) bool {
			from, newest = row.ColumnInt64(0), row.ColumnInt64(1)
			return false
		})
	})
	var never string
	for ; err == nil && never == "" && from < newest; from += verifyRows {
		if err = ctx.Err(); err != nil {
			break
		}
		err = s.look(func(db *database) error {
			return db.once(`SELECT r.seq, r.generation, r.seq > h.sealed OR EXISTS (SELECT 1 FROM receipt_unfinished WHERE receipt = r.seq)
				FROM receipt r CROSS JOIN receipt_head h WHERE r.seq > ?1 AND r.seq <= ?2 AND NOT EXISTS (SELECT 1 FROM receipt_log WHERE receipt = r.seq)`,
				func(row *sqlite3.Stmt) bool {
					if !row.ColumnBool(2) {
						never = hex.EncodeToString(row.ColumnRawBlob(1))
					} else if s.erasures.proven(row.ColumnInt64(0)) {
						unsealed++
					}
					return never == ""
				}, from, from+verifyRows)
		})
	}
	if err == nil && never != "" {
		err = &receiptlog.FaultError{Kind: receiptlog.Inserted, Index: -1, End: -1, Receipt: never}
	}
	return unsealed, err
}
