package embedded

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
)

// maxReads bounds how often a read starts over because the picture was replaced under it. Each time means that a
// whole upload ended in between.
const maxReads = 16

// Get implements [storage.Store].
//
// The transaction ends before the slot is read, so the picture may be erased meanwhile and its slot be another's.
// The slot's header shows the second; whether the generation is active still, asked after reading, shows the first.
func (s *Store) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	for range maxReads {
		if err := ctx.Err(); err != nil {
			return storage.Picture{}, err
		}
		g, format, err := s.lookUp(user, org)
		if err != nil {
			return storage.Picture{}, fmt.Errorf("get picture: %w", err)
		}
		data, err := s.slab.readSlot(g.slot, g.id, g.size)
		if still, serr := s.stillActive(g); serr != nil {
			return storage.Picture{}, fmt.Errorf("get picture: %w", serr)
		} else if !still {
			continue
		}
		if err != nil {
			return storage.Picture{}, fmt.Errorf("get picture %x: %w", g.id, unreadable(err))
		}
		return storage.Picture{Generation: hex.EncodeToString(g.id[:]), Format: format, Data: data}, nil
	}
	return storage.Picture{}, fmt.Errorf("get picture: %w: it changes too fast", storage.ErrUnavailable)
}

// lookUp finds the active generation of a user in an organisation.
func (s *Store) lookUp(user storage.UserKey, org string) (g generationRecord, format storage.Format, err error) {
	iid, ok := s.names.issuer(user.Issuer)
	if !ok || !user.Valid() {
		iid = 0 // no issuer has this number; closed stores answer so all the same
	}
	found, organization := false, ""
	if err := s.lockForRead(); err != nil {
		return g, 0, err
	}
	defer s.db.mu.Unlock()
	if s.db.conn == nil {
		return g, 0, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	if iid == 0 {
		return g, 0, storage.ErrUserNotFound
	}
	err = s.db.query(sqlActive, func(row *sqlite3.Stmt) bool {
		found, organization = true, row.ColumnText(0)
		if row.ColumnType(1) != sqlite3.NULL {
			g = generationRecord{
				slot:  row.ColumnInt64(1),
				id:    scanID(row, 2),
				state: stateActive,
				size:  row.ColumnInt64(3),
			}
			format = storage.Format(row.ColumnInt64(4))
		}
		return false
	}, user.ID, iid)
	if err != nil {
		return g, 0, s.noteFault(err)
	}
	s.readWell()
	switch {
	case !found:
		return g, 0, storage.ErrUserNotFound
	case organization != org:
		return g, 0, storage.ErrOtherOrganization
	case g.state != stateActive:
		return g, 0, storage.ErrNoPicture
	}
	return g, format, nil
}

func (s *Store) stillActive(g generationRecord) (still bool, err error) {
	if err := s.lockForRead(); err != nil {
		return false, err
	}
	defer s.db.mu.Unlock()
	if s.db.conn == nil {
		return false, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	err = s.db.query(sqlStillActive, func(*sqlite3.Stmt) bool {
		still = true
		return false
	}, g.slot, g.id[:])
	if err != nil {
		err = s.noteFault(err)
	}
	return still, err
}
