package embedded

import (
	"sync"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// Bounds of what is remembered, in bytes as shelf counts them. Unknown users have a shelf of their own, so that invented ids do
// not push out users who exist.
const (
	maxRowBytes     = 8 << 20
	maxUnknownBytes = 1 << 20
)

// rowOverhead is what an entry takes beside its texts: the row, the key, its share of a map that is half full.
const rowOverhead = 256

// userRow is what reads need of a user: the record and the active generation. It never changes.
type userRow struct {
	organization               string
	created, changed, sequence int64
	slot                       int64 // 0 when there is no active generation
	id                         slab.GenerationID
	size                       int64
	format                     storage.Format
}

func (u *userRow) details() storage.Details {
	return storage.Details{
		Sequence:     uint64(u.sequence),
		CreationDate: time.UnixMicro(u.created).UTC(),
		ChangeDate:   time.UnixMicro(u.changed).UTC(),
		Organization: u.organization,
	}
}

// rowKey names a user by the issuer's number.
type rowKey struct {
	iid int64
	id  string
}

// rows remembers the users that reads found in the metadata, so that reading a picture again does not use SQLite. Two rules keep it
// correct:
//
//   - A read remembers a user before the state that it has read can change: while it holds the connection, or pages.
//   - The users that a transaction changed are forgotten when COMMIT has returned, before the connection is given free.
//
// So the remembered state is durable, and never one that another read has already seen replaced. A read that finds the state before a
// change here began before that change was answered.
type rows struct {
	mu             sync.Mutex
	known, unknown shelf
}

func (r *rows) init() {
	r.known.limit, r.unknown.limit = maxRowBytes, maxUnknownBytes
	r.clear()
}

// get returns what is remembered of a user; a nil row means that there is no such user.
func (r *rows) get(key rowKey) (row *userRow, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if row, ok = r.known.get(key); ok {
		return row, true
	}
	return r.unknown.get(key)
}

// keep remembers a user; a nil row means that there is no such user.
func (r *rows) keep(key rowKey, row *userRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if row == nil {
		r.unknown.put(key, nil)
		return
	}
	r.known.put(key, row)
}

// forget drops what is remembered of a user.
func (r *rows) forget(key rowKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.drop(key)
	r.unknown.drop(key)
}

// clear drops everything.
func (r *rows) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.clear()
	r.unknown.clear()
}

// shelf holds rows up to a limit and forgets those that were not used lately: rows that are put on it or read are in young, and when young
// has reached half of the limit, it replaces old.
type shelf struct {
	limit      int64
	young, old map[rowKey]*userRow
	bytes      int64 // of young
}

func (s *shelf) clear() {
	s.young, s.old, s.bytes = make(map[rowKey]*userRow), nil, 0
}

func (s *shelf) get(key rowKey) (row *userRow, ok bool) {
	if row, ok = s.young[key]; ok {
		return row, true
	}
	if row, ok = s.old[key]; ok {
		delete(s.old, key)
		s.put(key, row)
	}
	return row, ok
}

func (s *shelf) put(key rowKey, row *userRow) {
	s.drop(key)
	n := entryBytes(key, row)
	if s.bytes+n > s.limit/2 {
		s.young, s.old, s.bytes = make(map[rowKey]*userRow), s.young, 0
	}
	s.young[key] = row
	s.bytes += n
}

func (s *shelf) drop(key rowKey) {
	if row, ok := s.young[key]; ok {
		s.bytes -= entryBytes(key, row)
		delete(s.young, key)
	}
	delete(s.old, key)
}

func entryBytes(key rowKey, row *userRow) int64 {
	n := int64(rowOverhead + len(key.id))
	if row != nil {
		n += int64(len(row.organization))
	}
	return n
}

// forgetRows forgets the users that the batch may have changed: all of them after a change of users without a key.
func (s *Store) forgetRows(batch []*request) {
	for _, t := range batch {
		switch {
		case t.key != nil:
			if iid, ok := s.registry.issuer(t.key.Issuer); ok {
				s.rows.forget(rowKey{iid, t.key.ID})
			}
		case t.changesUsers:
			s.rows.clear()
		}
	}
}
