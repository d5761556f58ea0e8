package embedded

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// MoveIssuer implements [storage.Store]. It takes as long for ten million users as for ten: the issuer's row gets another URL, and
// users name that row by its number. The move stays on record, for backups from before.
func (s *Store) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (bool, error) {
	if !storage.ValidText(from) || !storage.ValidText(to) || from == to || !by.Valid() {
		return false, fmt.Errorf("move issuer: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &moveIssuer{from: from, to: to, by: by}}
	if err := s.queue.submit(ctx, t); err != nil {
		return false, fmt.Errorf("move issuer: %w", err)
	}
	return t.made, nil
}

type moveIssuer struct {
	from, to string
	by       storage.Origin
}

func (w *moveIssuer) slotClass() (slab.Class, bool) { return 0, false }

func (w *moveIssuer) apply(r *groupCommit, t *request) error {
	t.made = false
	from, err := r.issuer(w.from, false)
	if err != nil {
		return err
	}
	to, err := r.issuer(w.to, false)
	if err != nil {
		return err
	}
	has, _, err := r.db.issuerHasUsers(from)
	switch {
	case err != nil:
		return err
	case !has && r.movedTo(w.from) == w.to:
		return nil // it is done
	case !has:
		return fmt.Errorf("%w: %q", storage.ErrIssuerNotFound, w.from)
	}
	has, had, err := r.db.issuerHasUsers(to)
	switch {
	case err != nil:
		return err
	case has:
		return fmt.Errorf("%w: %q", storage.ErrIssuerInUse, w.to)
	case had: // the rows swap their URLs, which are unique: users off the record still refer to the other row
		if err = r.keepEnded(from, to); err == nil {
			err = r.db.run(sqlNameIssuer, to, "")
		}
	case to != 0:
		// Not among the statements of serving: it looks through all users for one of this issuer.
		err = r.db.once(`DELETE FROM issuer WHERE iid = ?1`, nil, to)
	}
	if err != nil {
		return err
	}
	if err := r.db.run(sqlNameIssuer, from, w.to); err != nil {
		return err
	}
	left := int64(0)
	if had {
		left = to
		if err := r.db.run(sqlNameIssuer, to, w.from); err != nil {
			return err
		}
	}
	if err := r.db.run(sqlAddIssuerMove, w.from, w.to); err != nil {
		return err
	}
	r.nameIssuer(w.to, from)
	r.nameIssuer(w.from, left)
	r.added.moves = append(r.added.moves, storage.IssuerMoveRecord{From: w.from, To: w.to})
	t.made = true
	if err := r.audit(storage.ActionIssuerMoveFrom, "", w.from, w.by); err != nil {
		return err
	}
	return r.audit(storage.ActionIssuerMoveTo, "", w.to, w.by)
}

// keepEnded lets those who have ended with an issuer that gets another's users stay so, but for an id that is one of those users'. Not among
// the statements of serving: it looks through all users.
func (r *groupCommit) keepEnded(from, to int64) error {
	return r.db.once(`UPDATE OR IGNORE user SET iid = ?1 WHERE iid = ?2 AND removed = 2`, nil, from, to)
}

func (w *moveIssuer) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}

// issuerHasUsers reports whether users are registered with an issuer, 0 = none, and otherwise whether there were some.
func (db *database) issuerHasUsers(iid int64) (has, had bool, err error) {
	if iid == 0 {
		return false, false, nil
	}
	// Not among the statements of serving: it looks through all users where there is none of this issuer on record.
	err = db.once(`SELECT DISTINCT removed FROM user WHERE iid = ?1`, func(row *sqlite3.Stmt) bool {
		had = row.ColumnBool(0)
		has = !had
		return !has
	}, iid)
	return has, had, err
}

// movedTo returns the issuer that the users of one were last given to, the transaction included; "" for none.
func (r *groupCommit) movedTo(from string) string {
	if to := lastMove(r.added.moves, from); to != "" {
		return to
	}
	return r.s.registry.movedTo(from)
}

func lastMove(moves []storage.IssuerMoveRecord, from string) string {
	for _, m := range slices.Backward(moves) {
		if m.From == from {
			return m.To
		}
	}
	return ""
}

// OtherIssuers returns the issuers of the users of a store that has none of the issuer named, sorted; nothing when it has.
// It looks at no user: an issuer is on record from its first user on, and until its users move.
func (s *Store) OtherIssuers(issuer string) []string {
	s.registry.mu.RLock()
	defer s.registry.mu.RUnlock()
	if _, ok := s.registry.issuers[issuer]; ok {
		return nil
	}
	return slices.Sorted(maps.Keys(s.registry.issuers))
}
