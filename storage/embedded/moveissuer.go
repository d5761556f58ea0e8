package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
)

// MoveIssuer implements [storage.Store]. It takes as long for ten million users as for ten: the issuer's row gets another URL, and
// users name that row by its number. The old URL stays in a row of its own that names the other one, for backups from before.
func (s *Store) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (bool, error) {
	if !storage.ValidID(from) || !storage.ValidID(to) || from == to || !by.Valid() {
		return false, fmt.Errorf("move issuer: %w: id", storage.ErrInvalid)
	}
	t := &ticket{work: &moveIssuer{from: from, to: to, by: by}}
	if err := s.line.submit(ctx, t); err != nil {
		return false, fmt.Errorf("move issuer: %w", err)
	}
	return t.made, nil
}

type moveIssuer struct {
	from, to string
	by       storage.Origin
}

func (w *moveIssuer) need() (class, bool) { return 0, false }

func (w *moveIssuer) apply(r *round, t *ticket) error {
	t.made = false
	from, err := r.issuer(w.from, false)
	if err != nil {
		return err
	}
	to, err := r.issuer(w.to, false)
	if err != nil {
		return err
	}
	has, err := r.issuerHasUsers(from)
	switch {
	case err != nil:
		return err
	case !has && from != 0 && r.became(from) == to:
		return nil // it is done
	case !has:
		return fmt.Errorf("%w: %q", storage.ErrIssuerNotFound, w.from)
	}
	if has, err = r.issuerHasUsers(to); err != nil {
		return err
	}
	if has {
		return fmt.Errorf("%w: %q", storage.ErrIssuerInUse, w.to)
	}
	if to == 0 {
		if to, err = r.issuer(w.to, true); err != nil {
			return err
		}
	}
	// No two rows have the same URL, not even between two statements. No valid id has a control character.
	for _, name := range []struct {
		iid int64
		url string
	}{{to, "\n"}, {from, w.to}, {to, w.from}} {
		if err := r.db.execOne(sqlNameIssuer, name.iid, name.url); err != nil {
			return err
		}
	}
	for _, row := range [][2]int64{{to, from}, {from, 0}} {
		if err := r.issuerBecomes(row[0], row[1]); err != nil {
			return err
		}
	}
	r.nameIssuer(w.to, from)
	r.nameIssuer(w.from, to)
	t.made = true
	if err := r.audit("issuer-move-from", "done", "", w.from, w.by); err != nil {
		return err
	}
	return r.audit("issuer-move-to", "done", "", w.to, w.by)
}

func (w *moveIssuer) settled(t *ticket, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}

// issuerBecomes puts on record which issuer one became, 0 = none.
func (r *round) issuerBecomes(iid, other int64) error {
	if r.added.becomes == nil {
		r.added.becomes = make(map[int64]int64)
	}
	r.added.becomes[iid] = other
	return r.db.execOne(sqlIssuerBecomes, iid, orNull(other))
}

// useIssuer makes an issuer that became another one an issuer of its own again, for a new user.
func (r *round) useIssuer(iid int64) error {
	if r.became(iid) == 0 {
		return nil
	}
	return r.issuerBecomes(iid, 0)
}

// issuerHasUsers reports whether anybody is registered with an issuer, 0 = none.
func (r *round) issuerHasUsers(iid int64) (has bool, err error) {
	if iid == 0 {
		return false, nil
	}
	// Not among the statements of serving: it looks through all users where there is none of this issuer.
	err = r.db.look(`SELECT 1 FROM user WHERE iid = ?1 LIMIT 1`, func(*sqlite3.Stmt) bool {
		has = true
		return false
	}, iid)
	return has, err
}

// became returns the issuer that one became, the transaction included; 0 for none.
func (r *round) became(iid int64) int64 {
	if other, ok := r.added.becomes[iid]; ok {
		return other
	}
	return r.s.names.became(iid)
}

// OtherIssuers returns the issuers of the users of a store that has none of the issuer named, sorted; nothing when it has.
// Those whose users have all been moved are left out. It looks at no user.
func (s *Store) OtherIssuers(issuer string) []string {
	s.names.mu.RLock()
	defer s.names.mu.RUnlock()
	if iid, ok := s.names.issuers[issuer]; ok && s.names.becomes[iid] == 0 {
		return nil // an issuer is on record from its first user on
	}
	var others []string
	for url, iid := range s.names.issuers {
		if s.names.becomes[iid] == 0 {
			others = append(others, url)
		}
	}
	slices.Sort(others)
	return others
}
