package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// maxReads bounds how often a read starts over because the picture was replaced under it. Each time means that a
// whole upload ended in between.
const maxReads = 16

// Get implements [storage.Store].
//
// The picture may be erased while its slot is read, and the slot be another's by then. The slot's header shows the second;
// whether the generation is the active one still, asked after reading, shows the first.
func (s *Store) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	row, err := s.find(user, org)
	for range maxReads {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && row.slot == 0 {
			err = storage.ErrNoPicture
		}
		if err != nil {
			return storage.Picture{}, fmt.Errorf("get picture: %w", err)
		}
		data, rerr := s.slab.Read(row.slot, row.id, row.size)
		was := row
		if row, err = s.find(user, org); err != nil || row.id != was.id {
			clear(data)
			continue
		}
		if rerr != nil {
			return storage.Picture{}, fmt.Errorf("get picture %x: %w", was.id, unreadable(rerr))
		}
		return storage.Picture{Generation: hex.EncodeToString(was.id[:]), Format: was.format, Data: data}, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: it changes too fast", storage.ErrUnavailable)
	}
	return storage.Picture{}, fmt.Errorf("get picture: %w", err)
}

// Stat implements [storage.Store].
func (s *Store) Stat(ctx context.Context, user storage.UserKey, org string) (storage.Info, error) {
	if err := ctx.Err(); err != nil {
		return storage.Info{}, err
	}
	row, err := s.find(user, org)
	if err != nil {
		return storage.Info{}, fmt.Errorf("look at picture: %w", err)
	}
	info := storage.Info{Details: row.details()}
	if row.slot != 0 {
		info.Generation, info.Format, info.Size = hex.EncodeToString(row.id[:]), row.format, row.size
	}
	return info, nil
}

// find looks up a user inside an organisation, for a read.
func (s *Store) find(user storage.UserKey, org string) (*userRow, error) {
	row, err := s.row(user)
	switch {
	case err != nil:
		return nil, err
	case row == nil:
		return nil, storage.ErrUserNotFound
	case row.organization != org:
		return nil, storage.ErrOtherOrganization
	}
	return row, nil
}

// row returns what is known of a user, nil when there is none: from memory, else from the metadata.
func (s *Store) row(user storage.UserKey) (*userRow, error) {
	iid, ok := s.registry.issuer(user.Issuer)
	if !ok || !user.Valid() {
		if s.queue.isClosed() {
			return nil, fmt.Errorf("%w: closed", storage.ErrUnavailable)
		}
		return nil, nil
	}
	if row, ok := s.rows.get(rowKey{iid, user.ID}); ok {
		return row, nil
	}
	keep := func(row *userRow) {
		s.rows.keep(rowKey{iid, strings.Clone(user.ID)}, row) // the caller's id may be a piece of something larger
	}
	row, err := s.readRow(iid, user.ID, keep)
	if err != nil && !errors.Is(err, storage.ErrUnavailable) {
		return nil, s.recordFault(err)
	}
	if err == nil {
		s.clearReadFault()
	}
	return row, err
}

// readRow reads a user from the metadata without waiting for a transaction under way. The row is remembered before it can change.
func (s *Store) readRow(iid int64, id string, keep func(*userRow)) (*userRow, error) {
	if !s.db.mu.TryLock() {
		return s.reader.userRow(iid, id, keep)
	}
	defer s.db.mu.Unlock()
	switch {
	case s.db.conn == nil:
		return nil, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	case !s.db.conn.GetAutocommit(): // a transaction has not ended, and what it did is not durable
		return s.reader.userRow(iid, id, keep)
	}
	row, err := s.db.userRow(iid, id)
	if err == nil {
		keep(row)
	}
	return row, err
}

// userRow reads a user and the active generation from the metadata.
func (db *database) userRow(iid int64, id string) (found *userRow, err error) {
	err = db.rows(sqlActive, func(row *sqlite3.Stmt) bool {
		found = &userRow{
			organization: row.ColumnText(0),
			created:      row.ColumnInt64(1),
			changed:      row.ColumnInt64(2),
			sequence:     row.ColumnInt64(3),
		}
		if row.ColumnType(4) != sqlite3.NULL {
			found.slot, found.id = row.ColumnInt64(4), scanID(row, 5)
			found.size, found.format = row.ColumnInt64(6), storage.Format(row.ColumnInt64(7))
		}
		return false
	}, id, iid)
	return found, err
}
