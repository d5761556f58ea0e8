package storagetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"example.org/avatard/storage"
)

// callers is how many calls are made at once.
const callers = 16

func checkOneRegistration(t TB, h Harness) {
	f := open(t, h)
	for round := range 10 {
		org := fmt.Sprint("org-", round)
		inOrg := func(i int) string { return fmt.Sprintf("%s-%d", org, i) }
		var created atomic.Int64
		note := func(made bool, err error, allowed error, what string) {
			if made {
				created.Add(1)
			}
			if err != nil && (made || allowed == nil || !isOneOf(err, allowed)) {
				t.Errorf("round %d: %s = created %v, %v", round, what, made, err)
			}
		}
		for what, call := range map[string]func(i int){
			"AddOrganization": func(int) {
				made, err := f.store.AddOrganization(f.Context(), "alone-"+org, origin())
				note(made, err, nil, "AddOrganization")
			},
			"AddUser": func(int) {
				_, made, err := f.store.AddUser(f.Context(), user("user"+org), org, origin())
				note(made, err, nil, "AddUser")
			},
			"AddUser in many organisations": func(i int) {
				_, made, err := f.store.AddUser(f.Context(), user("contested"+org), inOrg(i), origin())
				note(made, err, storage.ErrOtherOrganization, "AddUser in many organisations")
			},
			"Put in many organisations": func(i int) {
				up := upload(user("uploaded"+org), inOrg(i), sample(uint64(i), 500))
				up.Register = true
				_, err := f.store.Put(f.Context(), up)
				note(err == nil, err, storage.ErrOtherOrganization, "Put in many organisations")
				if err == nil {
					if p, err := f.store.Get(f.Context(), up.User, inOrg(i)); err != nil || string(p.Data) != string(up.Picture.Data) {
						t.Errorf("round %d: Get by the one who registered = %d bytes, %v", round, len(p.Data), err)
					}
				}
			},
		} {
			created.Store(0)
			together(callers, call)
			if n := created.Load(); n != 1 {
				t.Errorf("round %d: %s by %d callers: %d registered, want 1", round, what, callers, n)
			}
		}
	}
}

func checkSameRemove(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	for round := range 20 {
		before := f.put(u, acme, sample(uint64(round), 2000+round*1000))
		results := make([]storage.Result, callers)
		together(callers, func(i int) {
			var err error
			if results[i], err = f.store.Remove(f.Context(), removal(u, acme)); err != nil {
				t.Errorf("round %d: Remove = %v, want nil", round, err)
			}
			if _, err := f.store.Get(f.Context(), u, acme); !isOneOf(err, storage.ErrNoPicture) {
				t.Errorf("round %d: Get after Remove = %v, want %v", round, err, storage.ErrNoPicture)
			}
		})
		now := f.peek(u, acme)
		for _, got := range results {
			f.same(got, now, "round %d: Remove", round)
		}
		if now.Details.Sequence != before.Details.Sequence+1 || now.Receipt == before.Receipt || now.Receipt == "" {
			t.Errorf("round %d: %d calls of Remove led from %+v to %+v, want one change and one receipt", round, callers, before, now)
		}
	}
}

func checkLastUploadWins(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	first := uint64(2)
	for round := range 10 {
		results := make([]storage.Result, callers)
		data := func(i int) []byte { return sample(uint64(round*callers+i), 1000+i*977) }
		together(callers, func(i int) {
			var err error
			if results[i], err = f.store.Put(f.Context(), upload(u, acme, data(i))); err != nil {
				t.Errorf("round %d: Put = %v, want nil", round, err)
			}
		})
		order := make([]int, callers)
		receipts := map[string]bool{}
		for i := range order {
			order[i] = i
			receipts[results[i].Receipt] = true
		}
		slices.SortFunc(order, func(a, b int) int {
			return int(results[a].Details.Sequence) - int(results[b].Details.Sequence)
		})
		for place, i := range order {
			if got, want := results[i].Details.Sequence, first+uint64(place); got != want {
				t.Fatalf("round %d: upload number %d = sequence %d, want %d", round, place+1, got, want)
			}
		}
		// Every upload but the very first one replaced a picture.
		if len(receipts) != callers {
			t.Errorf("round %d: %d different receipts of %d uploads", round, len(receipts), callers)
		}
		winner := order[callers-1]
		f.wantPicture(u, acme, data(winner))
		f.same(f.peek(u, acme), results[winner], "round %d: AddUser", round)
		first += callers
	}
}

// checkHistory lets uploads, deletes and reads of a user run at once and demands an order that explains
// every answer.
func checkHistory(t TB, h Harness) {
	f := open(t, h)
	for round := range 4 {
		u := user(fmt.Sprint("user-", round))
		f.addUser(u, acme)
		r := recorder{tb: t, user: u, pictures: map[string]int{}}
		const uploaders, each = 4, 15
		limit := []int{300_000, 4_000, 60_000, 20_000}[round] // the larger, the longer a read can be caught half-way
		for i := range uploaders * each {
			r.data = append(r.data, sample(uint64(round*1000+i), 300+(i*i*997)%limit))
			r.pictures[string(r.data[i])] = i
		}
		together(uploaders+6, func(i int) {
			switch {
			case i < uploaders:
				for n := range each {
					r.put(f.Context(), f.store, i*each+n)
				}
			case i < uploaders+3:
				for range each {
					r.remove(f.Context(), f.store)
				}
			default:
				for range 4 * each {
					r.get(f.Context(), f.store)
					r.look(f.Context(), f.store)
				}
			}
		})
		f.reopen()
		r.get(f.Context(), f.store)
		r.remove(f.Context(), f.store)
		r.get(f.Context(), f.store)
		r.look(f.Context(), f.store)
		for _, fault := range explain(r.calls) {
			t.Errorf("round %d: %s", round, fault)
		}
	}
}

// recorder makes calls on one user and writes down the answers.
type recorder struct {
	tb       TB
	user     storage.UserKey
	data     [][]byte       // the picture of each upload
	pictures map[string]int // and back

	ticks atomic.Int64
	mu    sync.Mutex
	calls []call
}

func (r *recorder) note(c call, start int64, err error) {
	c.start, c.end = start, r.ticks.Add(1)
	if err != nil {
		r.tb.Errorf("%v = %v, want nil", c, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

func (r *recorder) put(ctx context.Context, s storage.Store, picture int) {
	start := r.ticks.Add(1)
	res, err := s.Put(ctx, upload(r.user, acme, r.data[picture]))
	r.note(call{kind: put, version: res.Details.Sequence, picture: picture}, start, err)
}

func (r *recorder) remove(ctx context.Context, s storage.Store) {
	start := r.ticks.Add(1)
	res, err := s.Remove(ctx, removal(r.user, acme))
	r.note(call{kind: remove, version: res.Details.Sequence, picture: none}, start, err)
}

func (r *recorder) get(ctx context.Context, s storage.Store) {
	start := r.ticks.Add(1)
	p, err := s.Get(ctx, r.user, acme)
	c := call{kind: get, picture: none}
	if isOneOf(err, storage.ErrNoPicture) {
		err = nil
	} else if err == nil {
		i, ok := r.pictures[string(p.Data)]
		if !ok {
			err = fmt.Errorf("%d bytes that nobody uploaded", len(p.Data))
		}
		c.picture = i
	}
	r.note(c, start, err)
}

func (r *recorder) look(ctx context.Context, s storage.Store) {
	start := r.ticks.Add(1)
	info, err := s.Stat(ctx, r.user, acme)
	c := call{kind: look, version: info.Details.Sequence, picture: none}
	if info.Generation != "" {
		c.picture = 0
	}
	r.note(c, start, err)
}
