package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const (
	callers  = 16
	hotUsers = 8 // for whom several calls are often under way at once
)

// figures count what callers were told.
type figures struct {
	Uploads, Deletes, Reads atomic.Int64 // acknowledged; reads: answered
	Ends                    atomic.Int64 // deletes that ended the user
	Unanswered, Busy        atomic.Int64
}

// load is callers at work on one server.
type load struct {
	clock    *clock
	testbed  *testbed.Testbed
	client   *client.Client
	users    []*user
	pictures *testbed.PictureSet
	free     *pool
	figures  *figures
	// acknowledged is called after each acknowledged change.
	acknowledged func()
	violations   *violations
	receipts     *receipts
}

// pool are the pictures that are nowhere on the server, and who had the others last.
type pool struct {
	mu      sync.Mutex
	numbers []int
	holders map[int]*user
}

// take gives a picture to a user; false when there is none left.
func (p *pool) take(random *rand.Rand, u *user) (number int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.numbers) == 0 {
		return 0, false
	}
	i := random.IntN(len(p.numbers))
	number = p.numbers[i]
	p.numbers = slices.Delete(p.numbers, i, i+1)
	p.holders[number] = u
	return number, true
}

// refill brings back all but the pictures that live.
func (p *pool) refill(count int, living map[int]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.numbers = p.numbers[:0]
	for number := range count {
		if !living[number] {
			p.numbers = append(p.numbers, number)
		}
	}
}

func (p *pool) holder(number int) *user {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.holders[number]
}

// run lets all callers call until ctx ends or the server does not answer any more.
func (l *load) run(ctx context.Context, seed uint64) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var working sync.WaitGroup
	for caller := range callers {
		random := rand.New(rand.NewPCG(seed, uint64(caller)))
		working.Go(func() {
			for ctx.Err() == nil && l.step(ctx, random) {
			}
		})
	}
	working.Wait()
}

// step makes one call. It reports false when the server is gone.
func (l *load) step(ctx context.Context, random *rand.Rand) bool {
	u := l.users[random.IntN(len(l.users))]
	if random.IntN(8) == 0 {
		u = l.users[random.IntN(hotUsers)]
	}
	switch n := random.IntN(20); {
	case n < 1 && u.isRegistered(false):
		return l.end(ctx, random, u)
	case n < 6 && u.hasEnded.Load():
		return l.readmit(ctx, u)
	case n < 6:
		return l.remove(ctx, random, u)
	case n < 12:
		if number, ok := l.free.take(random, u); ok {
			return l.upload(ctx, random, u, number)
		}
	}
	return l.read(ctx, random, u)
}

func (l *load) read(ctx context.Context, random *rand.Rand, u *user) bool {
	asked := ""
	if n := random.IntN(4); n > 1 {
		asked = u.tag(n == 2)
	}
	_, err := l.look(ctx, u, random.IntN(2) == 0, asked)
	return err == nil || errors.Is(err, errNoPicture) || errors.Is(err, errBusy)
}

// Errors of a look that shows nothing, though there was an answer.
var (
	errNoPicture = errors.New("the answer is a violation by itself")
	errBusy      = errors.New("the server asks to try again")
)

// look reads the user's picture and judges what it sees.
func (l *load) look(ctx context.Context, u *user, own bool, asked string) (seen int, err error) {
	begin := l.clock.tick()
	var r client.Read
	how := "public read"
	if own {
		how = "own read"
		r = l.client.ReadOwn(ctx, client.Bearer(u.Token), asked)
	} else {
		r = l.client.Read(ctx, testbed.Organization, u.ID, asked)
	}
	end := l.clock.tick()
	switch {
	case r.Err != nil:
		l.figures.Unanswered.Add(1)
		return none, r.Err
	case r.Status == http.StatusServiceUnavailable || r.Status == http.StatusTooManyRequests:
		l.figures.Busy.Add(1)
		return none, errBusy
	}
	l.figures.Reads.Add(1)
	var kind, problem string
	seen, kind, problem = u.identify(r, asked, l.pictures)
	u.note("%d–%d %s with tag %q: %d, picture %d, tag %s", begin, end, how, asked, r.Status, seen, r.ETag)
	if kind != "" {
		l.violations.add(u, kind, "%s between %d and %d: %s", how, begin, end, problem)
		return none, errNoPicture
	}
	if kind, may := u.judge(seen, begin, end); kind != "" {
		l.violations.add(u, kind, "%s between %d and %d sees picture %d, possible are %v (-1: none)", how, begin, end, seen, may)
	}
	if seen != none && !u.mayBe(registered, begin, end) {
		l.violations.add(u, revived, "%s between %d and %d sees picture %d of a user who has ended", how, begin, end, seen)
	}
	return seen, nil
}

func (l *load) upload(ctx context.Context, random *rand.Rand, u *user, picture int) bool {
	data := l.pictures.All[picture].Upload
	if random.IntN(2) == 0 {
		return l.change(u, picture, "own upload", l.ofRegistered(u, func() client.Answer { return l.client.UploadOwn(ctx, client.Bearer(u.Token), data) }))
	}
	return l.change(u, picture, "upload", l.ofRegistered(u, func() client.Answer {
		return l.client.Upload(ctx, client.Bearer(l.testbed.Manager()), u.ID, data)
	}))
}

func (l *load) remove(ctx context.Context, random *rand.Rand, u *user) bool {
	form := client.Forms()[random.IntN(len(client.Forms()))]
	if random.IntN(2) == 0 {
		return l.change(u, none, "own delete, "+string(form), l.ofRegistered(u, func() client.Answer { return l.client.RemoveOwn(ctx, form, client.Bearer(u.Token)) }))
	}
	return l.change(u, none, "delete, "+string(form), l.ofRegistered(u, func() client.Answer {
		return l.client.Remove(ctx, form, client.Bearer(l.testbed.Manager()), u.ID)
	}))
}

// change makes a call that changes something and notes what it may have done. It reports false when there was no answer.
func (l *load) change(u *user, picture int, how string, call func() client.Answer) bool {
	begin := l.clock.tick()
	before, certain := u.certain(begin)
	known := u.isRegistered(false)
	n := u.begin(picture, begin)
	u.note("%d %s, picture %d", begin, how, picture)
	a := call()
	end := l.clock.tick()
	u.note("%d–%d %s, picture %d: %v", begin, end, how, picture, a)
	switch {
	case a.Acknowledged():
		u.acknowledged(n, end)
	case a.Err != nil:
		l.figures.Unanswered.Add(1)
		return false
	case a.Code == connect.CodeUnavailable || a.Code == connect.CodeResourceExhausted || a.Code == connect.CodeDeadlineExceeded:
		l.figures.Busy.Add(1) // it may be done, or be done later
		return true
	case u.turnedAway(picture, a, known, begin, end):
		u.refused(n)
		return true
	default:
		l.violations.add(u, answer, "%s between %d and %d: %v", how, begin, end, a)
		return true
	}
	if picture == none {
		l.figures.Deletes.Add(1)
	} else {
		l.figures.Uploads.Add(1)
		u.isRegistered(true)
	}
	want := ""
	if certain && before != none && u.alone(n) {
		want = u.generation(before)
		if a.Receipt() == "" {
			l.violations.add(u, receipt, "%s between %d and %d erased picture %d and names no receipt", how, begin, end, before)
		}
	}
	if want != "" && a.Receipt() != want {
		l.violations.add(u, receipt, "%s between %d and %d erased generation %s and names receipt %q", how, begin, end, want, a.Receipt())
	}
	if a.Receipt() != "" {
		l.receipts.acknowledge(u, a.Receipt())
	}
	l.acknowledged()
	return true
}
