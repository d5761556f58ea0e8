package embedded

import (
	"errors"
	"fmt"

	"avatard/storage"
)

// writeIssuers writes the issuers that there are, and which of them became others: whoever reads the file has to know that before
// the first user. Those that are added later come with their users.
func (b *backup) writeIssuers() error {
	var all []issuerRecord
	var moves []issuerMove
	err := b.s.look(func(db *database) error {
		b.issuerMoves = b.s.names.issuerMoves()
		return db.page(`SELECT iid, url, ifnull(becomes, 0) FROM issuer ORDER BY iid`, func(row backupRow) bool { // as few as configurations
			i := issuerRecord{iid: row.ColumnInt64(0), url: row.ColumnText(1)}
			all = append(all, i)
			if other := row.ColumnInt64(2); other != 0 {
				moves = append(moves, issuerMove{i.iid, other})
			}
			return true
		})
	})
	for _, i := range all {
		b.issuers[i.iid] = true
		err = errors.Join(err, b.out.write(i))
	}
	for _, m := range moves {
		err = errors.Join(err, b.out.write(m))
	}
	return err
}

// checkIssuers refuses a backup that tells of users under an issuer that is not theirs any more.
func (b *backup) checkIssuers() error {
	if b.s.names.issuerMoves() != b.issuerMoves {
		return fmt.Errorf("%w: users were given to another issuer meanwhile; make the backup again", storage.ErrUnavailable)
	}
	return nil
}
