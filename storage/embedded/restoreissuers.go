package embedded

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

func (r *restoreDB) addIssuer(i issuerRecord) error {
	return r.do(r.database, `INSERT INTO issuer (iid, url) VALUES (?1, ?2)`, i.iid, i.url)
}

// addIssuerMove notes that an issuer of the backup became another one of it.
func (r *restoreDB) addIssuerMove(m issuerMove) error {
	return r.do(r.database, `UPDATE issuer SET becomes = ?2 WHERE iid = ?1`, m.from, m.to)
}

func (r *restoreDB) hasUsers(iid int64) (has bool, err error) {
	err = r.ask(r.database, `SELECT 1 FROM user WHERE iid = ?1 LIMIT 1`, func(*sqlite3.Stmt) { has = true }, iid)
	return has, err
}

// knownIssuer is an issuer of the store that is being built.
type knownIssuer struct{ iid, becomes int64 }

// current is the issuer whose users those of i are by now.
func (i knownIssuer) current() int64 {
	if i.becomes != 0 {
		return i.becomes
	}
	return i.iid
}

// issuer returns an issuer, which it adds where needed.
func (r *restoreDB) issuer(url string) (i knownIssuer, err error) {
	if err := r.do(r.database, `INSERT INTO issuer (iid, url) SELECT ifnull(max(iid), 0) + 1, ?1 FROM issuer WHERE true
		ON CONFLICT (url) DO NOTHING`, url); err != nil {
		return i, err
	}
	err = r.ask(r.database, `SELECT iid, ifnull(becomes, 0) FROM issuer WHERE url = ?1`, func(row *sqlite3.Stmt) {
		i = knownIssuer{row.ColumnInt64(0), row.ColumnInt64(1)}
	}, url)
	return i, err
}

// newerIssuers are the issuers of a newer file, by its own numbers.
type newerIssuers struct {
	db    *restoreDB
	urls  map[int64]string
	later bool // the file was begun after the backup
}

func (n *newerIssuers) add(i issuerRecord) error {
	n.urls[i.iid] = i.url
	_, err := n.db.issuer(i.url)
	return err
}

// ours returns the number of an issuer in the store that is being built.
func (n *newerIssuers) ours(theirs int64) (int64, error) {
	url, ok := n.urls[theirs]
	if !ok {
		return 0, fmt.Errorf("%w: a user of an issuer that is not in it", ErrBackupDamaged)
	}
	i, err := n.db.issuer(url)
	return i.current(), err
}

// move does again what was done between the backup and the file, so that the users of both meet: else those of the backup would
// stay where nobody looks for them. A file from before the backup has nothing to tell: the backup knows.
func (n *newerIssuers) move(m issuerMove) error {
	fromURL, toURL := n.urls[m.from], n.urls[m.to]
	if fromURL == "" || toURL == "" {
		return fmt.Errorf("%w: an issuer that is not in it became another", ErrBackupDamaged)
	}
	if !n.later {
		return nil
	}
	from, err := n.db.issuer(fromURL)
	if err != nil {
		return err
	}
	to, err := n.db.issuer(toURL)
	if err != nil {
		return err
	}
	if from.becomes != 0 {
		return nil // it is done, or was before the users moved on
	}
	old, err := n.db.hasUsers(from.iid)
	if err != nil {
		return err
	}
	inUse, err := n.db.hasUsers(to.iid)
	switch {
	case err != nil:
		return err
	case inUse && old:
		return nil // both stay
	case inUse:
		return n.db.addIssuerMove(issuerMove{from.iid, to.iid})
	}
	for _, name := range []struct {
		iid     int64
		url     string
		becomes int64
	}{{to.iid, "\n", from.iid}, {from.iid, toURL, 0}, {to.iid, fromURL, from.iid}} {
		sql := `UPDATE issuer SET url = ?2, becomes = nullif(?3, 0) WHERE iid = ?1`
		if err := n.db.do(n.db.database, sql, name.iid, name.url, name.becomes); err != nil {
			return err
		}
	}
	return nil
}
