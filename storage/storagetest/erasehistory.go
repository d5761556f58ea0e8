package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"

	"example.org/avatard/storage"
)

// Kinds of calls on a user who ends and is readmitted meanwhile.
const (
	putRegister kind = "Put with Register"
	readmit     kind = "AddUser that readmits"
	erase       kind = "EraseUser"
	// eraseFirst is the first of the two changes that EraseUser makes: it erases the picture. Its version is not known.
	eraseFirst kind = "EraseUser, the picture"
)

// answer is what a call on such a user returned. A Stat shows only whether there is a picture.
type answer struct {
	ended   bool // the user is not registered
	version uint64
	picture int
}

// mortal is the record that the calls see.
type mortal struct {
	ended   bool
	version uint64
	picture int
}

// after returns the record after a call with this answer, and false when the answer is impossible.
func (m mortal) after(in asked, out answer) (mortal, bool) {
	next := m
	switch in.kind {
	case eraseFirst:
		if m.picture != none {
			next = mortal{false, m.version + 1, none}
		}
		return next, true
	case erase:
		if !m.ended {
			next = mortal{true, m.version + 1, none}
		}
		return next, out.version == next.version && m.picture == none
	case readmit:
		if m.ended {
			next = mortal{false, m.version + 1, none}
		}
		return next, out.version == next.version
	}
	if m.ended || out.ended {
		return m, m.ended && out.ended
	}
	switch in.kind {
	case get:
		return m, out.picture == m.picture
	case look:
		return m, out.version == m.version && (out.picture == none) == (m.picture == none)
	case put, putRegister:
		next = mortal{false, m.version + 1, in.picture}
	case remove:
		if m.picture != none {
			next = mortal{false, m.version + 1, none}
		}
	}
	return next, out.version == next.version
}

// checkEraseHistory ends and readmits a user under uploads, deletes and reads.
func checkEraseHistory(t TB, h Harness) {
	f := open(t, h)
	for round := range 6 {
		u := user(fmt.Sprint("user-", round))
		f.eraseHistory(u, round, f.store)
		if round%3 == 0 {
			f.reopen()
		}
		f.wantErased(u)
	}
}

// eraseHistory makes calls on a user through handles of one store, and demands an order of all of them that explains every answer
// (linearizability). In each such order no upload takes effect on a user who has ended. The last call ends the user.
func (f *fixture) eraseHistory(u storage.UserKey, seed int, handles ...storage.Store) {
	f.Helper()
	model := porcupine.Model{
		Init: func() any { return mortal{false, 1, none} },
		Step: func(state, in, out any) (bool, any) {
			next, ok := state.(mortal).after(in.(asked), out.(answer))
			return ok, next
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %+v", in, out) },
	}
	m := &mortalUser{fixture: f, user: u, handles: handles, numbers: map[string]int{}}
	f.addUser(u, acme)
	const each = 8
	for i := range 3 * each {
		m.data = append(m.data, sample(uint64(seed*100+i), 400+i*1500))
		m.numbers[string(m.data[i])] = i
	}
	kinds := [][2]kind{{put, put}, {put, put}, {putRegister, putRegister}, {erase, readmit}, {remove, look}, {readmit, erase}, {get, get}, {look, get}}
	together(len(kinds), func(i int) {
		for n := range each {
			m.ask(i, asked{kind: kinds[i][n%2], picture: i*each + n})
		}
	})
	m.ask(0, asked{kind: erase})
	if !porcupine.CheckOperations(model, m.calls) {
		f.Errorf("%s: no order explains %d calls", u.ID, len(m.calls))
	}
}

// wantErased demands that nothing is there of a user whose EraseUser has returned.
func (f *fixture) wantErased(u storage.UserKey) {
	f.Helper()
	_, err := f.store.Get(f.Context(), u, acme)
	f.wantErr(err, storage.ErrUserNotFound, "Get of somebody who has ended")
	_, _, err = f.store.AddUser(f.Context(), u, acme, origin())
	f.wantErr(err, storage.ErrUserEnded, "AddUser of somebody who has ended")
	f.readmit(u, acme)
	f.wantNone(u, acme)
}

// mortalUser writes down calls on a user.
type mortalUser struct {
	*fixture
	user    storage.UserKey
	handles []storage.Store // each caller has one of them
	data    [][]byte
	numbers map[string]int
	ticks   atomic.Int64
	mu      sync.Mutex
	calls   []porcupine.Operation
}

func (m *mortalUser) ask(client int, in asked) {
	start := m.ticks.Add(1)
	out, err := m.answer(m.handles[client%len(m.handles)], in)
	if err != nil {
		m.Errorf("%s = %v", in.kind, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	op := porcupine.Operation{ClientId: client, Input: in, Call: start, Output: out, Return: m.ticks.Add(1)}
	if m.calls = append(m.calls, op); in.kind == erase {
		op.Input = asked{kind: eraseFirst}
		m.calls = append(m.calls, op)
	}
}

// answer makes a call.
func (m *mortalUser) answer(store storage.Store, in asked) (out answer, err error) {
	var res storage.Result
	ctx, refused := m.Context(), storage.ErrUserNotFound
	out.picture = none
	switch in.kind {
	case put, putRegister:
		up := upload(m.user, acme, m.data[in.picture])
		up.Register = in.kind == putRegister
		res, err = store.Put(ctx, up)
		refused = storage.ErrUserEnded
	case remove:
		res, err = store.Remove(ctx, removal(m.user, acme))
	case erase:
		res, err = store.EraseUser(ctx, removal(m.user, acme))
		refused = nil
	case readmit:
		res, _, err = store.AddUser(ctx, m.user, acme, readmitting())
		refused = nil
	case look:
		info, serr := store.Stat(ctx, m.user, acme)
		if err, res.Details = serr, info.Details; info.Generation != "" {
			out.picture = 0
		}
	case get:
		p, gerr := store.Get(ctx, m.user, acme)
		i, ok := m.numbers[string(p.Data)]
		switch {
		case gerr == nil && !ok:
			gerr = fmt.Errorf("%d bytes that nobody uploaded", len(p.Data))
		case gerr == nil:
			out.picture = i
		case errors.Is(gerr, storage.ErrNoPicture):
			gerr = nil
		}
		err = gerr
	}
	if refused != nil && errors.Is(err, refused) {
		return answer{ended: true, picture: none}, nil
	}
	out.version = res.Details.Sequence
	return out, err
}

// checkEndingAtOnce ends an organisation while others become users of it, and then all of its users at once, each by two callers. Nobody
// becomes one behind the end.
func checkEndingAtOnce(t TB, h Harness) {
	f := open(t, h)
	const users = 24
	var ticks, end atomic.Int64
	var began [users]int64
	var in [users]bool
	behind := make(chan struct{}) // closed once the end has returned
	together(users, func(i int) {
		if u := user(fmt.Sprint("user-", i)); i%3 == 2 {
			f.registers(u, globex)
		} else if i%3 == 0 {
			f.registers(under(thirdIssuer, u), acme)
		}
	})
	together(users+1, func(i int) {
		if i == users/2 {
			ended, err := f.store.EndOrganization(f.Context(), acme, origin())
			if end.Store(ticks.Add(1)); err != nil || !ended {
				t.Errorf("EndOrganization = %v, %v, want true, nil", ended, err)
			}
			close(behind)
			return
		}
		if i > users/2 {
			i--
		}
		if i >= users-3 { // in each way one comes late for certain
			<-behind
		}
		began[i] = ticks.Add(1)
		err := f.become(user(fmt.Sprint("user-", i)), i%3)
		if in[i] = err == nil; err != nil && !isOneOf(err, storage.ErrOrganizationEnded) {
			t.Errorf("becoming a user of an ending organisation = %v, want %v", err, storage.ErrOrganizationEnded)
		}
	})
	for i := range users {
		if in[i] && began[i] > end.Load() {
			t.Errorf("user %d became one of an organisation behind its end", i)
		}
	}
	var keys []storage.UserKey
	for u := range f.listed(storage.UserQuery{Organization: acme}) {
		keys = append(keys, u)
	}
	for i := range users {
		if u := user(fmt.Sprint("user-", i)); slices.Contains(keys, u) != in[i] {
			t.Errorf("user %d is listed in the organisation: %v, want %v", i, !in[i], in[i])
		}
	}
	f.endAll(keys)
	f.removeOrganization(acme, true, nil, "left")
	f.lasting(func(when string) {
		f.wantState(acme, storage.Ended, when)
		for _, u := range keys {
			_, _, err := f.store.AddUser(f.Context(), u, globex, origin())
			f.wantErr(err, storage.ErrUserEnded, "%s: AddUser of %v", when, u)
		}
	})
}

// become makes somebody a user of acme, in one of three ways.
func (f *fixture) become(u storage.UserKey, way int) (err error) {
	switch way {
	case 0:
		_, _, err = f.store.AddUser(f.Context(), u, acme, readmitting())
	case 1:
		up := upload(u, acme, sample(1, 400))
		up.Register = true
		_, err = f.store.Put(f.Context(), up)
	default:
		_, _, err = f.store.MoveUser(f.Context(), u, acme, origin())
	}
	return err
}

// registers is addUser for other goroutines than the check's.
func (f *fixture) registers(u storage.UserKey, org string) {
	if _, _, err := f.store.AddUser(f.Context(), u, org, origin()); err != nil {
		f.Errorf("AddUser(%v) = %v, want nil", u, err)
	}
}

// endAll ends users of acme, each by two callers, while another one uploads for them.
func (f *fixture) endAll(keys []storage.UserKey) {
	results := make([]storage.Result, 3*len(keys))
	together(len(results), func(i int) {
		u := keys[i/3]
		if i%3 == 0 {
			up := upload(u, acme, sample(uint64(i), 600))
			up.Register = i%2 == 0
			if _, err := f.store.Put(f.Context(), up); err != nil && !isOneOf(err, storage.ErrUserEnded, storage.ErrOrganizationEnded) {
				f.Errorf("Put while its user ends = %v, want nil or %v", err, storage.ErrUserEnded)
			}
			return
		}
		res, err := f.store.EraseUser(f.Context(), removal(u, acme))
		if results[i] = res; err != nil {
			f.Errorf("EraseUser by two callers = %v, want nil", err)
		}
		if _, err := f.store.Get(f.Context(), u, acme); !isOneOf(err, storage.ErrUserNotFound) {
			f.Errorf("Get after EraseUser = %v, want %v", err, storage.ErrUserNotFound)
		}
	})
	for i, u := range keys {
		f.same(results[3*i+1], results[3*i+2], "the other EraseUser of %v", u)
	}
}
