// Package memory is a storage engine for tests, as small as can be. It keeps the whole contract of package storage, so a test of commands
// that passes on it does not depend on another engine. On demand it breaks the contract in one place, so that a test
// sees which check of package storagetest notices that.
//
//	New ─► Memory ─┬► Open ─► storage.Engine: memory.go, put.go, remove.go, erase.go, move.go, issuer.go; list.go, receipt.go, audit.go;
//	               │          prover.go; keeper.go, export.go
//	               └► Place ─► storage.Place: place.go, import.go
//
// Nothing outlives the process, and any number of handles may be open: there is no control directory.
package memory

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// Flaw is a way to break the contract; "" = none.
type Flaw string

// New returns stores with a flaw, all of them empty.
func New(flaw Flaw) *Memory { return &Memory{flaw: flaw, states: map[string]*state{}} }

// Memory is the data of all stores of one test, by their names.
type Memory struct {
	flaw   Flaw
	mu     sync.Mutex
	states map[string]*state
	files  []*os.File // for a flaw
}

type state struct {
	mu    sync.Mutex
	orgs  map[string]storage.RegistrationState // those that are registered or have ended
	users map[storage.UserKey]*entry
	// became has the issuer that each moved issuer became.
	became map[string]string

	id       [16]byte
	receipts []storage.Receipt
	log      *proofLog             // nil = nothing was sealed yet
	broken   bool                  // nothing can be erased
	trail    []storage.AuditRecord // changes
	refusals []storage.AuditRecord

	gone map[storage.UserKey]*entry           // users who were taken off the record
	kept map[storage.UserKey]*storage.Picture // for a flaw: their pictures

	removed map[storage.UserKey]*storage.Picture // for a flaw: what was removed last
	pending func()                               // for a flaw: a change that lands late
	entered int                                  // for a flaw: calls that have begun
	decided int                                  // for a flaw: conditions that have held
	second  chan struct{}                        // for the same: closed when a second one has
}

func newState() *state {
	st := &state{orgs: map[string]storage.RegistrationState{}, users: map[storage.UserKey]*entry{}, became: map[string]string{}, removed: map[storage.UserKey]*storage.Picture{},
		gone: map[storage.UserKey]*entry{}, kept: map[storage.UserKey]*storage.Picture{}, second: make(chan struct{})}
	_, _ = rand.Read(st.id[:])
	return st
}

type entry struct {
	res     storage.Result
	state   storage.RegistrationState
	picture *storage.Picture
	doomed  *storage.Picture // could not be erased, and is to be
	by      storage.Origin   // whose change doomed it
}

type store struct {
	memory *Memory
	*state
	now    func() time.Time
	closed bool
	stale  map[storage.UserKey]storage.Picture // for a flaw: a cache of this handle
	seen   map[storage.UserKey]storage.Info    // likewise
}

// Open opens the store of a name. now is its clock.
func (m *Memory) Open(ctx context.Context, name string, now func() time.Time) (storage.Engine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.states[name]
	if st == nil || m.flaw == "forgets everything" {
		st = newState()
		m.states[name] = st
	}
	s := &store{memory: m, state: st, now: now, stale: map[storage.UserKey]storage.Picture{},
		seen: map[storage.UserKey]storage.Info{}}
	switch m.flaw {
	case "brings removed pictures back":
		for k, p := range st.removed {
			if e := st.users[k]; e != nil {
				e.picture = p
			}
		}
	case "loses receipts":
		for _, e := range st.users {
			e.res.Receipt = ""
		}
		st.receipts = nil
	case "brings ended users back":
		for k, e := range st.gone {
			e.state, st.users[k] = storage.Registered, e
		}
	case "loses the trail":
		st.trail = nil
	case "loses the log of receipts":
		st.log = nil
	case "leaves a file open":
		f, _ := os.Create(filepath.Join(name, "open"))
		m.files = append(m.files, f) // or the garbage collector would close it
	case "leaves a goroutine":
		go func() { <-time.After(time.Minute) }()
	}
	return s, nil
}

func (s *store) has(f Flaw) bool { return s.memory.flaw == f }

// enter begins every call: it takes the lock, unless there is an error.
func (s *store) enter(ctx context.Context, issuers []string, userOrOrganization ...string) error {
	s.mu.Lock()
	s.entered++
	if late := s.pending; late != nil && ctx.Err() == nil {
		s.pending = nil
		defer late()
	}
	err := func() error {
		if s.closed && !s.has("works after Close") {
			return fmt.Errorf("closed: %w", storage.ErrUnavailable)
		}
		for _, issuer := range issuers {
			if !storage.ValidText(issuer) && !s.takes(issuer) {
				return fmt.Errorf("issuer of %d bytes: %w", len(issuer), storage.ErrInvalid)
			}
		}
		for _, id := range userOrOrganization {
			if !ids.Valid(id) && !s.takes(id) {
				return fmt.Errorf("id of %d bytes: %w", len(id), storage.ErrInvalid)
			}
		}
		if ctx.Err() != nil && !s.has("ignores contexts") && !s.has("runs abandoned uploads late") {
			return fmt.Errorf("memory: %w", ctx.Err())
		}
		return nil
	}()
	if err != nil {
		s.mu.Unlock()
	}
	return err
}

// letOthers lets some other calls go first, in the middle of one, if there are any.
func (s *store) letOthers() {
	enough := s.entered + 10
	s.letOthersUntil(func() bool { return s.entered >= enough })
}

// letOthersUntil lets other calls go first until something is true, or for a while.
func (s *store) letOthersUntil(enough func() bool) {
	for range 3000 {
		s.mu.Unlock()
		runtime.Gosched()
		if s.mu.Lock(); enough() {
			return
		}
	}
}

// takes reports whether the flaw lets an invalid id pass.
func (s *store) takes(id string) bool {
	switch s.memory.flaw {
	case "takes empty ids":
		return id == ""
	case "takes long ids":
		return utf8.RuneCountInString(id) > ids.MaxRunes
	case "takes broken UTF-8":
		return !utf8.ValidString(id)
	case "takes control characters", "cuts ids at NUL":
		return strings.ContainsFunc(id, unicode.IsControl)
	}
	return false
}

func (s *store) key(u storage.UserKey) storage.UserKey {
	switch s.memory.flaw {
	case "ignores the issuer":
		u.Issuer = ""
	case "folds case":
		u.ID = strings.ToLower(u.ID)
	case "trims spaces":
		u.ID = strings.TrimSpace(u.ID)
	case "cuts ids at NUL":
		u.ID, _, _ = strings.Cut(u.ID, "\x00")
	case "joins issuer and id":
		return storage.UserKey{ID: u.Issuer + u.ID}
	}
	return u
}

func (s *store) date() time.Time {
	switch s.memory.flaw {
	case "rounds times":
		return s.now().UTC().Round(time.Microsecond)
	case "keeps nanoseconds":
		return s.now().UTC()
	case "keeps local times":
		return s.now().Truncate(time.Microsecond)
	}
	return s.now().UTC().Truncate(time.Microsecond)
}

func (s *store) find(u storage.UserKey, org string) (*entry, error) {
	e := s.users[s.key(u)]
	if e == nil {
		return nil, fmt.Errorf("%q: %w", u.ID, storage.ErrUserNotFound)
	}
	if e.res.Details.Organization != org && !s.has("ignores the organisation") {
		return e, fmt.Errorf("%q: %w", u.ID, storage.ErrOtherOrganization)
	}
	return e, nil
}

func (s *store) Get(ctx context.Context, u storage.UserKey, org string) (storage.Picture, error) {
	if err := s.enter(ctx, []string{u.Issuer}, u.ID, org); err != nil {
		return storage.Picture{}, err
	}
	defer s.mu.Unlock()
	if p, ok := s.stale[s.key(u)]; ok && s.has("reads from a cache of its handle") {
		return p, nil
	}
	e, err := s.find(u, org)
	if err != nil {
		return storage.Picture{}, err
	}
	if e.picture == nil {
		return storage.Picture{}, fmt.Errorf("%q: %w", u.ID, storage.ErrNoPicture)
	}
	p := *e.picture
	if p.Data = bytes.Clone(p.Data); s.has("hands out its own slice") {
		p.Data = e.picture.Data
	}
	s.stale[s.key(u)] = p
	return p, nil
}

func (s *store) Stat(ctx context.Context, u storage.UserKey, org string) (storage.Info, error) {
	if err := s.enter(ctx, []string{u.Issuer}, u.ID, org); err != nil {
		return storage.Info{}, err
	}
	defer s.mu.Unlock()
	if info, ok := s.seen[s.key(u)]; ok && s.has("looks once only") {
		return info, nil
	}
	e, err := s.find(u, org)
	if err != nil && !(s.has("looks into every organisation") && e != nil) {
		return storage.Info{}, err
	}
	info := storage.Info{Details: e.res.Details}
	p := e.picture
	if p == nil && s.has("looks at what is removed") {
		p = s.removed[s.key(u)]
	}
	switch {
	case p != nil:
		info.Generation, info.Format, info.Size = p.Generation, p.Format, int64(len(p.Data))
	case s.has("fails to look where there is no picture"):
		return storage.Info{}, storage.ErrNoPicture
	}
	switch s.memory.flaw {
	case "looks at no size":
		info.Size = 0
	case "looks at no format":
		info.Format = storage.PNG
	case "looks at another generation":
		info.Generation = random()
	case "looks at no record":
		info.Details = storage.Details{}
	}
	s.seen[s.key(u)] = info
	return info, nil
}

func (s *store) Ready(ctx context.Context) error {
	if err := s.enter(ctx, nil); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

func (s *store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.has("closes once only") {
		return os.ErrClosed
	}
	s.closed = true
	return nil
}

func random() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
