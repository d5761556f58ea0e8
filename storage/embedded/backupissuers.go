package embedded

import (
	"errors"
	"fmt"

	"example.org/avatard/storage"
)

// writeIssuers writes all issuers and all moves of issuers, because a restore needs them before the first user. Issuers that are added
// later are written with their users.
func (b *export) writeIssuers() error {
	var all []storage.IssuerRecord
	var moves []storage.IssuerMoveRecord
	err := b.s.look(func(db *database) error {
		err := db.once(`SELECT old, new FROM issuer_move ORDER BY seq`, func(row backupRow) bool { // as few as configurations
			moves = append(moves, storage.IssuerMoveRecord{From: row.ColumnText(0), To: row.ColumnText(1)})
			return true
		})
		return errors.Join(err, db.once(`SELECT iid, url FROM issuer ORDER BY iid`, func(row backupRow) bool {
			all = append(all, storage.IssuerRecord{Number: row.ColumnInt64(0), URL: row.ColumnText(1)})
			return true
		}))
	})
	b.issuerMoves = len(moves)
	for _, i := range all {
		b.issuers[i.Number] = true
		err = errors.Join(err, b.write(i))
	}
	for _, m := range moves {
		err = errors.Join(err, b.write(m))
	}
	return err
}

// checkIssuers refuses to end a backup in which users have an issuer from which they have been moved.
func (b *export) checkIssuers() error {
	if b.s.registry.issuerMoves() != b.issuerMoves {
		return fmt.Errorf("%w: users were given to another issuer meanwhile; make the backup again", storage.ErrUnavailable)
	}
	return nil
}
