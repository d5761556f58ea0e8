package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const (
	people       = 200
	pictureCount = 600 // enough for everybody and for what is uploaded between two looks
	// passLimit is how long callers try to bring a server to a failpoint, workLimit how long they may take for the
	// changes before a kill.
	passLimit = 8 * time.Second
	workLimit = time.Minute
)

// harness kills one program again and again.
type harness struct {
	out    io.Writer
	dir    string
	binary string
	// environ is set at every start.
	environ []string
	// least is how often the server has to be killed at each failpoint, whatever the number of kills.
	least    int
	plan     *plan
	pictures *testbed.PictureSet
	seed     uint64
	began    time.Time

	clock      clock
	figures    figures
	violations *violations
	tally      tally

	// Of the data directory in use.
	testbed  *testbed.Testbed
	testbeds int
	users    []*user
	free     *pool
	receipts *receipts
	server   *testbed.Server // nil while none runs
}

// tally counts kills.
type tally struct {
	Underway   int            `json:"kills_under_load"`
	Starting   int            `json:"kills_while_starting"`
	Stopping   int            `json:"kills_while_stopping"`
	Failpoints map[string]int `json:"kills_at_failpoints"`
	Missed     map[string]int `json:"failpoints_not_reached,omitempty"`
	Starts     int            `json:"starts"`
}

// run kills so many times, or until something is wrong.
func (h *harness) run(ctx context.Context, kills int) error {
	defer func() {
		if h.server != nil {
			h.server.Kill()
		}
		if h.testbed != nil {
			_ = h.testbed.Close()
		}
	}()
	h.tally.Failpoints, h.tally.Missed = make(map[string]int), make(map[string]int)
	h.began = time.Now()
	for told := 0; h.kills() < kills && !h.violations.any(); {
		if err := h.cycle(ctx, h.plan.next()); err != nil {
			return fmt.Errorf("after %d kills: %w", h.kills(), err)
		}
		if n := h.kills() / 50; n > told {
			told = n
			fmt.Fprintf(h.out, "%5d kills, %d deletes and %d uploads acknowledged, %v\n",
				h.kills(), h.figures.Deletes.Load(), h.figures.Uploads.Load(), time.Since(h.began).Round(time.Second))
		}
	}
	for try := 0; try < maxTries && !h.violations.any(); try++ {
		for _, name := range h.seldom() {
			if err := h.cycle(ctx, h.plan.at(name)); err != nil {
				return fmt.Errorf("after %d kills: %w", h.kills(), err)
			}
			if h.violations.any() {
				return nil
			}
		}
	}
	if h.violations.any() {
		return nil
	}
	return h.retire(ctx)
}

// maxTries is how often each failpoint that was not passed often enough is tried once more.
const maxTries = 6

// seldom returns the failpoints that killed less often than they have to.
func (h *harness) seldom() (names []string) {
	for _, name := range h.plan.failpoints {
		if h.tally.Failpoints[name] < h.least {
			names = append(names, name)
		}
	}
	return names
}

func (h *harness) kills() int {
	n := h.tally.Underway + h.tally.Starting + h.tally.Stopping
	for _, at := range h.tally.Failpoints {
		n += at
	}
	return n
}

// cycle brings a server up, which finishes what the kill before left, looks at everything, and kills it. No server runs
// before and after it.
func (h *harness) cycle(ctx context.Context, k kill) error {
	place := whereIs(k.failpoint)
	if h.testbed == nil || k.failpoint != "" && (place == freshStart || place == freshLoad) {
		if err := h.renew(ctx); err != nil || h.violations.any() {
			return err
		}
	}
	if k.starting {
		return h.killStarting(ctx, k)
	}
	if k.leaver != "" {
		leaver := kill{failpoint: k.leaver, pass: k.leaverPass}
		if err := h.serveAndKill(ctx, leaver); err != nil || h.violations.any() {
			return err
		}
	}
	return h.serveAndKill(ctx, k)
}

// serveAndKill starts the server, lets callers work and sees it killed, unless the start ended it already.
func (h *harness) serveAndKill(ctx context.Context, k kill) error {
	var environ []string
	if k.failpoint != "" {
		environ = append(environ, fmt.Sprintf("FAILPOINT=%s:%d", k.failpoint, k.pass))
	}
	if whereIs(k.failpoint) == orgStart {
		environ = append(environ, "AVATARD_ORGANISATIONS="+testbed.Organization+",new-"+strconv.Itoa(h.tally.Starts))
	}
	up, err := h.serve(ctx, k, environ)
	if err != nil || !up || h.violations.any() {
		return err
	}
	if place := whereIs(k.failpoint); place != underLoad && place != freshLoad && place != atStop { // load does not lead there
		h.tally.Missed[k.failpoint]++
		k = kill{changes: 1}
	}
	return h.killUnderLoad(ctx, k)
}

// serve starts the server and examines what it has recovered. It reports false when the start ended at a failpoint.
func (h *harness) serve(ctx context.Context, k kill, environ []string) (up bool, err error) {
	h.tally.Starts++
	srv, err := h.testbed.Start(ctx, environ...)
	switch {
	case errors.Is(err, testbed.ErrEnded) && srv.Killed() && k.failpoint != "":
		return false, h.autopsy(k)
	case errors.Is(err, testbed.ErrEnded):
		h.violations.add(nil, unready, "the server did not start (%v):\n%s", err, srv.Log())
		return false, nil
	case err != nil:
		return false, err
	}
	h.server = srv
	h.receipts.served()
	return true, h.examine(ctx)
}

// killStarting kills a server on its way up.
func (h *harness) killStarting(ctx context.Context, k kill) error {
	h.tally.Starts++
	srv, err := h.testbed.Launch(ctx)
	if err != nil {
		return err
	}
	testbed.Pause(ctx, k.delay)
	srv.Kill()
	return h.autopsy(k)
}

// awaitKill waits for the moment at which the server is to be killed, or has ended at its failpoint; it reports whether that was missed.
func (h *harness) awaitKill(ctx context.Context, k kill, srv *testbed.Server, enough <-chan struct{}, changes *atomic.Int64) (missed bool, err error) {
	limit := workLimit
	if k.failpoint != "" {
		limit = passLimit
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-srv.Ended():
		if k.failpoint == "" || !srv.Killed() {
			h.violations.add(nil, unready, "the server ended by itself:\n%s", srv.Log())
		}
	case <-enough:
		if k.stopping {
			if err := srv.Terminate(); err != nil {
				return false, err
			}
		}
		if k.failpoint == "" {
			testbed.Pause(ctx, k.delay)
			break
		}
		select { // it ends on its way down
		case <-srv.Ended():
		case <-timer.C:
			missed = true
		case <-ctx.Done():
		}
	case <-timer.C:
		if missed = k.failpoint != ""; !missed {
			h.violations.add(nil, unready, "%d of %d changes in %v: the server hangs\n%s", changes.Load(), k.changes, limit, srv.Log())
		}
	case <-ctx.Done():
	}
	return missed, nil
}

// killUnderLoad lets callers work until the server is dead.
func (h *harness) killUnderLoad(ctx context.Context, k kill) error {
	srv := h.server
	h.server = nil
	defer srv.Kill()
	client := testbed.NewClient(srv.URL)
	defer client.Close()
	working, stop := context.WithCancel(ctx)
	defer stop()
	var changes atomic.Int64
	enough := make(chan struct{})
	l := h.load(client)
	l.acknowledged = func() {
		if changes.Add(1) == int64(k.changes) {
			close(enough)
		}
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.run(working, h.seed+uint64(h.tally.Starts))
	}()
	missed, err := h.awaitKill(ctx, k, srv, enough, &changes)
	if err != nil {
		return err
	}
	srv.Kill()
	<-over
	if err := ctx.Err(); err != nil {
		return err
	}
	if missed {
		h.tally.Missed[k.failpoint]++
		k = kill{}
	}
	return h.autopsy(k)
}

func (h *harness) load(c *client.Client) *load {
	return &load{clock: &h.clock, testbed: h.testbed, client: c, users: h.users, pictures: h.pictures, free: h.free, figures: &h.figures,
		violations: h.violations, receipts: h.receipts, acknowledged: func() {}}
}

// renew goes on with an empty data directory, after a last look at the one before.
func (h *harness) renew(ctx context.Context) error {
	if h.testbed != nil {
		if err := h.retire(ctx); err != nil || h.violations.any() {
			return err
		}
	}
	h.testbeds++
	dir := filepath.Join(h.dir, "testbed-"+strconv.Itoa(h.testbeds))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var err error
	if h.testbed, err = testbed.New(testbed.Config{Binary: h.binary, Dir: dir, People: people, Environ: h.environ}); err != nil {
		return err
	}
	h.users = nil
	for _, person := range h.testbed.People() {
		u := &user{Person: person, tags: make(map[string]int)}
		u.settle(none)
		u.standing.settle(registered) // with the first upload
		h.users = append(h.users, u)
	}
	h.free = &pool{holders: make(map[int]*user)}
	h.free.refill(len(h.pictures.All), nil)
	h.receipts = newReceipts(h.violations)
	return nil
}
