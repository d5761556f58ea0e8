package embedded

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

func (r *restoreDB) addIssuer(i storage.IssuerRecord) error {
	return r.do(r.database, `INSERT INTO issuer (iid, url) VALUES (?1, ?2)`, i.Number, i.URL)
}

// issuer returns the number of an issuer, which it adds where needed.
func (r *restoreDB) issuer(url string) (iid int64, err error) {
	if err := r.do(r.database, `INSERT INTO issuer (iid, url) SELECT ifnull(max(iid), 0) + 1, ?1 FROM issuer WHERE true
		ON CONFLICT (url) DO NOTHING`, url); err != nil {
		return 0, err
	}
	err = r.ask(r.database, `SELECT iid FROM issuer WHERE url = ?1`, func(row *sqlite3.Stmt) { iid = row.ColumnInt64(0) }, url)
	return iid, err
}

// addIssuerMove puts a move on record whose users have their new issuer already.
func (r *restoreDB) addIssuerMove(m storage.IssuerMoveRecord) error {
	r.moves = append(r.moves, m)
	return r.do(r.database, `INSERT INTO issuer_move (seq, old, new) VALUES (NULL, ?1, ?2)`, m.From, m.To)
}

// moveIssuer repeats a move, unless there are users of the new issuer already: then the store was restored from a backup before the move
// and went on without it, and both issuers stay as they are.
func (r *restoreDB) moveIssuer(m storage.IssuerMoveRecord) error {
	inUse, had := false, false
	err := r.ask(r.database, `SELECT DISTINCT removed FROM user WHERE iid = (SELECT iid FROM issuer WHERE url = ?1)`,
		func(row *sqlite3.Stmt) { inUse, had = inUse || !row.ColumnBool(0), true }, m.To)
	if err != nil || inUse {
		return err
	}
	name := func(from, to string) error {
		return r.do(r.database, `UPDATE issuer SET url = ?2 WHERE url = ?1`, from, to)
	}
	if had { // the rows swap their URLs, and those who have ended stay so, as in moveIssuer.apply
		err = errors.Join(r.do(r.database, `UPDATE OR IGNORE user SET iid = (SELECT iid FROM issuer WHERE url = ?1)
			WHERE iid = (SELECT iid FROM issuer WHERE url = ?2) AND removed = 2`, m.From, m.To), name(m.To, ""), name(m.From, m.To), name("", m.From))
	} else {
		err = errors.Join(r.do(r.database, `DELETE FROM issuer WHERE url = ?1`, m.To), name(m.From, m.To))
	}
	if err != nil {
		return err
	}
	return r.addIssuerMove(m)
}

// newerIssuers are the issuers of a newer file, by its own numbers.
//
// Moves are never removed and keep their order, so of two files of one store one has all moves of the other, and perhaps more. Those were
// made between the two, whatever the clocks say.
type newerIssuers struct {
	db      *restoreDB
	urls    map[int64]string
	moves   []storage.IssuerMoveRecord
	shared  int // how many moves of this store the file has, too
	settled bool
}

func (n *newerIssuers) add(i storage.IssuerRecord) { n.urls[i.Number] = i.URL }

func (n *newerIssuers) move(m storage.IssuerMoveRecord) error {
	if n.settled {
		return fmt.Errorf("%w: a move of an issuer behind a user", storage.ErrExportDamaged)
	}
	n.moves = append(n.moves, m)
	return nil
}

// settle repeats the moves that were made between the files read before and this one, so that users have the same issuer in all of them.
// Otherwise users of the backup would stay under an issuer that is not used any more. It is called before the file's first user.
func (n *newerIssuers) settle() error {
	if n.settled {
		return nil
	}
	n.settled = true
	for n.shared < min(len(n.moves), len(n.db.moves)) && n.moves[n.shared] == n.db.moves[n.shared] {
		n.shared++
	}
	if n.shared < len(n.db.moves) {
		return nil // the file is older than the others
	}
	for _, m := range n.moves[n.shared:] {
		if err := n.db.moveIssuer(m); err != nil {
			return err
		}
	}
	n.shared = len(n.db.moves)
	return nil
}

// ours returns the number, in the store that is being built, of the issuer that has the users of the file's issuer by now.
func (n *newerIssuers) ours(theirs int64) (int64, error) {
	url, ok := n.urls[theirs]
	if !ok {
		return 0, fmt.Errorf("%w: a user of an issuer that is not in it", storage.ErrExportDamaged)
	}
	if err := n.settle(); err != nil {
		return 0, err
	}
	for _, m := range n.db.moves[n.shared:] {
		if url == m.From {
			url = m.To
		}
	}
	return n.db.issuer(url)
}
