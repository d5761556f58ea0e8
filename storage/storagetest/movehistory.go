package storagetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"

	"example.org/avatard/storage"
)

// asked is a call on a user who is moved meanwhile. learned is its answer; Stat shows only whether there is a picture.
type asked struct {
	kind    kind
	org     string // "" for a removal anywhere
	picture int
}

type learned struct {
	other   bool // the user is in another organisation
	version uint64
	picture int
}

const (
	move kind = "MoveUser"
)

// moving is the record that the calls see.
type moving struct {
	version uint64
	org     string
	picture int
}

// after returns the record after a call with this answer, and false when the answer is impossible.
func (m moving) after(in asked, out learned) (moving, bool) {
	elsewhere := in.org != "" && in.org != m.org
	if in.kind != move && (elsewhere || out.other) {
		return m, elsewhere && out.other
	}
	next := m
	switch in.kind {
	case get:
		return m, out.picture == m.picture
	case look:
		return m, out.version == m.version && (out.picture == none) == (m.picture == none)
	case put:
		next = moving{m.version + 1, m.org, in.picture}
	case remove:
		if m.picture != none {
			next = moving{m.version + 1, m.org, none}
		}
	case move:
		if elsewhere {
			next = moving{m.version + 1, in.org, m.picture}
		}
	}
	return next, out.version == next.version
}

// checkMoveHistory moves a user to and fro under uploads, deletes and reads, and demands an order of all calls that
// explains every answer (linearizability).
func checkMoveHistory(t TB, h Harness) {
	f := open(t, h)
	orgs := []string{acme, globex}
	f.addUser(user("other"), globex)
	model := porcupine.Model{
		Init: func() any { return moving{1, acme, none} },
		Step: func(state, in, out any) (bool, any) {
			next, ok := state.(moving).after(in.(asked), out.(learned))
			return ok, next
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %+v", in, out) },
	}
	for round := range 6 {
		u := user(fmt.Sprint("user-", round))
		f.addUser(u, acme)
		const each = 12
		var data [2 * each][]byte
		numbers := map[string]int{}
		for i := range data {
			data[i] = sample(uint64(round*100+i), 400+i*1500)
			numbers[string(data[i])] = i
		}
		var ticks atomic.Int64
		var mu sync.Mutex
		var calls []porcupine.Operation
		ask := func(client int, in asked) {
			start := ticks.Add(1)
			out, err := f.ask(u, in, data[:], numbers)
			if err != nil {
				t.Errorf("%+v = %v", in, err)
			}
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, porcupine.Operation{ClientId: client, Input: in, Call: start, Output: out, Return: ticks.Add(1)})
		}
		together(8, func(i int) {
			for n := range each {
				org := orgs[(i+n)%2]
				switch {
				case i < 2:
					ask(i, asked{kind: move, org: org})
				case i < 4:
					ask(i, asked{kind: put, org: org, picture: (i-2)*each + n})
				case i == 4:
					ask(i, asked{kind: remove, org: org})
				case i == 5:
					ask(i, asked{kind: remove})
				case i == 6:
					ask(i, asked{kind: look, org: org})
				default:
					ask(i, asked{kind: get, org: org})
				}
			}
		})
		if !porcupine.CheckOperations(model, calls) {
			t.Errorf("round %d: no order explains %d calls", round, len(calls))
		}
	}
}

// ask makes a call and returns it with its answer.
func (f *fixture) ask(u storage.UserKey, in asked, data [][]byte, numbers map[string]int) (out learned, err error) {
	var res storage.Result
	switch in.kind {
	case put:
		res, err = f.store.Put(f.Context(), upload(u, in.org, data[in.picture]))
	case remove:
		rm := removal(u, in.org)
		rm.AnyOrganization = in.org == ""
		res, err = f.store.Remove(f.Context(), rm)
	case move:
		res, _, err = f.store.MoveUser(f.Context(), u, in.org, origin())
	case look:
		info, serr := f.store.Stat(f.Context(), u, in.org)
		if err, res.Details = serr, info.Details; info.Generation == "" {
			out.picture = none
		}
	case get:
		p, gerr := f.store.Get(f.Context(), u, in.org)
		out.picture, err = none, gerr
		if i, ok := numbers[string(p.Data)]; ok && gerr == nil {
			out.picture = i
		}
		if isOneOf(err, storage.ErrNoPicture) {
			err = nil
		}
	}
	if isOneOf(err, storage.ErrOtherOrganization) {
		return learned{other: true}, nil
	}
	out.version = res.Details.Sequence
	return out, err
}
