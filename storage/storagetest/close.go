package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"example.org/avatard/storage"
)

func checkTwoHandles(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	f.put(u, acme, sample(1, 4000))
	second, err := h.Open(f.Context(), f.state, f.clock.Now)
	if err != nil { // refused, which must not disturb the first
		f.lasting(func(string) { f.wantPicture(u, acme, sample(1, 4000)) })
		f.remove(u, acme)
		f.lasting(func(string) { f.wantNone(u, acme) })
		return
	}
	defer second.Close()
	g := &fixture{TB: t, store: second}
	g.wantPicture(u, acme, sample(1, 4000))
	g.put(u, acme, sample(2, 4000))
	f.wantPicture(u, acme, sample(2, 4000))
	removed := f.remove(u, acme)
	g.wantNone(u, acme)
	g.same(g.remove(u, acme), removed, "Remove through the second handle")

	v := user("v")
	f.addUser(v, acme)
	r := recorder{tb: t, user: v, pictures: map[string]int{}}
	for i := range 8 {
		r.data = append(r.data, sample(uint64(i), 3000))
		r.pictures[string(r.data[i])] = i
	}
	together(len(r.data), func(i int) {
		s := []storage.Store{f.store, g.store}[i%2]
		r.get(f.Context(), s)
		r.put(f.Context(), s, i)
		r.get(f.Context(), s)
		r.remove(f.Context(), s)
		r.get(f.Context(), s)
	})
	for _, fault := range explain(r.calls) {
		t.Errorf("through two handles: %s", fault)
	}
	f.checkEndsThrough(second)
}

// checkEndsThrough ends users and an organisation through one handle, or the other, and looks through the other one.
func (f *fixture) checkEndsThrough(second storage.Store) {
	g := &fixture{TB: f.TB, store: second}
	var w storage.UserKey
	for round := range 6 {
		w = user(fmt.Sprint("w", round))
		f.eraseHistory(w, 6+round, f.store, second)
		f.wantErased(w)
	}
	x := user("x")
	g.wantNone(w, acme)
	f.addUser(user("other"), globex)
	f.addUser(x, acme)
	f.put(x, acme, sample(1, 700))
	g.wantPicture(x, acme, sample(1, 700))
	end := f.eraseUser(removal(x, acme))
	g.wantEnded(x, end, globex, "through the second handle")
	if r, err := second.Receipt(f.Context(), end.Receipt); err != nil || r.User != x {
		f.Errorf("Receipt through the second handle = %+v, %v, want one of %v", r, err, x)
	}
	g.endOrganization(globex, true, nil, "through the second handle")
	f.wantState(globex, storage.Ending, "through the first handle")
	f.wantNoNewUsers(globex, w, "through the first handle")
	g.wantNoNewUsers(globex, w, "through the second handle")
}

// checkRefusals: notes of refusals hold up no call, whatever is in them.
func checkRefusals(t TB, h Harness) {
	f := open(t, h)
	f.addUser(user("u"), acme)
	together(callers, func(i int) {
		for n := range 50 {
			f.store.RecordRefusal(storage.Refusal{
				By: origin(), Organization: "\xff\x00' --", Target: strings.Repeat("x", n*400), Action: "", Reason: "AUTH-5mWD2",
				Dropped: int64(n - 1),
			})
		}
		if _, err := f.store.Remove(f.Context(), removal(user("u"), acme)); err != nil {
			t.Errorf("Remove among refusals = %v, want nil", err)
		}
	})
	if err := f.store.Ready(f.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
	f.lasting(func(when string) { f.same(f.peek(user("u"), acme), record(1, start(), start()), "%s: AddUser", when) })
}

// checkRefusalsFit: of every note that is recorded, Fit is recorded.
func checkRefusalsFit(t TB, h Harness) {
	if h.Refusals == nil {
		return
	}
	f := open(t, h)
	var told []storage.Refusal
	for _, text := range []string{"plain", "\xff", "a\xed\xa0\x80b", strings.Repeat("\x80", 2*storage.MaxIDBytes), "x" + strings.Repeat("😀", 200), strings.Repeat("y", 64<<10)} {
		for _, dropped := range []int64{0, 7, -7} {
			told = append(told, storage.Refusal{By: storage.Origin{Caller: text, CallerOrganization: text, RequestID: text},
				Organization: text, Target: text, Action: text, Reason: text, Dropped: dropped})
		}
	}
	for _, r := range told {
		f.store.RecordRefusal(r)
	}
	s := f.store
	f.store = nil
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v, want nil", err)
	}
	recorded, err := h.Refusals(f.state)
	if err != nil {
		t.Fatalf("Refusals = %v, want nil", err)
	}
	if len(recorded) == 0 {
		t.Errorf("none of %d refusals is on record", len(told))
	}
	for _, r := range recorded {
		if r != r.Fit() {
			t.Errorf("recorded: %d bytes of %.60q, dropped %d", len(r.Target), r.Target, r.Dropped)
		}
		r.Dropped = 0 // notes that were dropped may be counted in a later one
		if !slices.ContainsFunc(told, func(t storage.Refusal) bool { t.Dropped = 0; return t.Fit() == r }) {
			t.Errorf("recorded: %.60q, which was never told", r.Target)
		}
	}
	f.openAgain()
}

func checkClosed(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	want := f.put(u, acme, sample(1, 2000))
	closed := f.store
	f.store = nil
	if err := closed.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
	calls := allCalls(u, acme)
	for name, call := range calls {
		f.wantErr(call(f.Context(), closed), storage.ErrUnavailable, "%s after Close", name)
	}
	closed.RecordRefusal(storage.Refusal{By: origin(), Organization: acme, Action: "Remove", Reason: "AUTH-5mWD2"})
	together(4, func(int) {
		if err := closed.Close(); err != nil && !isOneOf(err, storage.ErrUnavailable) {
			t.Errorf("Close again = %v, want nil or %v", err, storage.ErrUnavailable)
		}
	})

	f.openAgain()
	for name, call := range calls { // a new store does not wake the old one
		f.wantErr(call(f.Context(), closed), storage.ErrUnavailable, "%s after Close and a new Open", name)
	}
	f.wantPicture(u, acme, sample(1, 2000))
	f.same(f.peek(u, acme), want, "AddUser after a new Open")
}

// checkCloseWhileBusy: changes that were answered before Close are there afterwards, and one that Close cut off is done or not done.
func checkCloseWhileBusy(t TB, h Harness) {
	f := open(t, h)
	const users = 8
	var busy, all sync.WaitGroup
	var steppers []*stepper
	for i := range users {
		s := &stepper{fixture: f, number: i, user: user(fmt.Sprint("user-", i))}
		f.addUser(s.user, acme)
		steppers = append(steppers, s)
	}
	s := f.store
	f.store = nil
	for _, one := range steppers {
		busy.Add(1)
		all.Go(func() { one.run(s, busy.Done) })
	}
	busy.Wait()
	together(2, func(int) {
		if err := s.Close(); err != nil && !isOneOf(err, storage.ErrUnavailable) {
			t.Errorf("Close while busy = %v, want nil", err)
		}
	})
	all.Wait()
	f.openAgain()
	for _, one := range steppers {
		one.check()
	}
}

// stepper uploads and removes a user's picture in turns: even steps upload, odd ones remove.
type stepper struct {
	*fixture
	number int
	user   storage.UserKey
	done   int // steps that were answered with nil
}

func (s *stepper) picture(step int) []byte {
	return sample(uint64(s.number*100_000+step), 500+step*1009%30_000)
}

// run takes steps until the store is closed. It calls busy once: when it has taken some steps, or cannot go on.
func (s *stepper) run(store storage.Store, busy func()) {
	enough := 6 + s.number
	for step := 0; ; step++ {
		var err error
		if step%2 == 0 {
			_, err = store.Put(s.Context(), upload(s.user, acme, s.picture(step)))
		} else {
			_, err = store.Remove(s.Context(), removal(s.user, acme))
		}
		if step == enough {
			busy()
		}
		if err != nil {
			s.wantErr(err, storage.ErrUnavailable, "step %d while the store is closed", step)
			if step < enough {
				busy()
			}
			return
		}
		s.done = step + 1
	}
}

// check demands the state after the step that was answered last, or after the one that was cut off.
func (s *stepper) check() {
	p, err := s.store.Get(s.Context(), s.user, acme)
	if err != nil && !isOneOf(err, storage.ErrNoPicture) {
		s.Errorf("Get = %v", err)
		return
	}
	upload := s.done // the one upload of the two steps in question
	if upload%2 == 1 {
		upload--
	}
	if err == nil && !bytes.Equal(p.Data, s.picture(upload)) {
		s.Errorf("user %d after %d steps: Get = %d bytes that are not the picture of step %d", s.number, s.done, len(p.Data), upload)
	}
	seq := s.peek(s.user, acme).Details.Sequence
	if hasPicture := seq%2 == 0; seq < uint64(1+s.done) || seq > uint64(2+s.done) || hasPicture != (err == nil) {
		s.Errorf("user %d after %d steps: sequence = %d, Get = %v", s.number, s.done, seq, err)
	}
}

// checkNothingLeft: a closed store has no goroutine and no open file.
func checkNothingLeft(t TB, h Harness) {
	label := t.TempDir()
	var state string
	pprof.Do(t.Context(), pprof.Labels("storagetest", label), func(context.Context) {
		f := open(t, h)
		state = f.state
		for range 2 {
			together(callers, func(i int) {
				u := user(fmt.Sprint("user-", i))
				up := upload(u, acme, sample(uint64(i), 9000))
				up.Register = true
				_, _ = f.store.Put(f.Context(), up)
				_, _ = f.store.Remove(ended(f.Context()), removal(u, acme))
				_, _ = f.store.Remove(f.Context(), removal(u, acme))
				if i%4 == 0 {
					_, _ = f.store.EraseUser(f.Context(), removal(u, acme))
				}
				for _, call := range reads(u, acme) {
					_ = call(f.Context(), f.store)
					_ = call(ended(f.Context()), f.store)
				}
			})
			f.reopen()
		}
		s := f.store
		f.store = nil
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
	})
	// A goroutine that has done its last work may still have to be scheduled to end. Only a store that leaks runs
	// into the limit.
	limit := time.Now().Add(3 * time.Second)
	for left := goroutines(label); left != ""; left = goroutines(label) {
		if time.Now().After(limit) {
			t.Errorf("goroutines left after Close:\n%s", left)
			break
		}
		runtime.Gosched()
	}
	links, _ := filepath.Glob("/proc/self/fd/*") // none where there is no such directory
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && strings.HasPrefix(name, state+"/") {
			t.Errorf("file open after Close: %s", name)
		}
	}
}

// goroutines returns the stacks of those that carry the label, which every goroutine has from the one that started it.
func goroutines(label string) string {
	var all bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
	var found []string
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, label) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
