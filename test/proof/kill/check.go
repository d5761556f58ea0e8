package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"example.org/avatard/test/proof/testbed"
)

// autopsy counts a kill and looks at what it left on disk, before anything recovers: of a picture whose end was
// acknowledged nothing is there, and what callers were told of receipts is on record.
func (h *harness) autopsy(k kill) error {
	switch {
	case k.failpoint != "":
		h.tally.Failpoints[k.failpoint]++
	case k.starting:
		h.tally.Starting++
	case k.stopping:
		h.tally.Stopping++
	default:
		h.tally.Underway++
	}
	h.violations.killed()
	now := h.clock.tick()
	may := make(map[int]bool)
	for _, u := range h.users {
		for _, picture := range u.may(now, now) {
			may[picture] = true
		}
	}
	if _, err := h.search(may, "killed "+k.String()); err != nil {
		return err
	}
	return h.compareReceipts(false)
}

func (h *harness) compareReceipts(all bool) error {
	m, err := h.testbed.Metadata()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(h.receipts.compare(m, all), m.Close())
}

// search looks for pieces of pictures that must not be there and returns how many it found of each of the others.
func (h *harness) search(may map[int]bool, when string) (found map[int]int, err error) {
	pieces, err := h.pictures.Search(h.testbed.Dir())
	if err != nil {
		return nil, err
	}
	found = make(map[int]int)
	for _, p := range pieces {
		picture := int(p.Number)
		if !p.Uploaded {
			found[picture]++
		}
		if p.Uploaded || !may[picture] { // what was uploaded is nowhere, whether its picture lives or not
			h.violations.add(h.free.holder(picture), remains, "%s: %v", when, p)
		}
	}
	return found, nil
}

// lookers is how many look at what a server has recovered.
const lookers = 8

// examine looks at a server that has just come up: everybody has what they may have, on every read path; what nobody has
// is nowhere; then everything is certain, and the pictures that nobody has can be used again.
func (h *harness) examine(ctx context.Context) error {
	if err := h.server.Ready(ctx); err != nil {
		h.violations.add(nil, unready, "%v\n%s", err, h.server.Log())
		return nil
	}
	client := testbed.NewClient(h.server.URL)
	defer client.Close()
	l := h.load(client)
	errs := make([]error, lookers)
	var looking sync.WaitGroup
	for i := range lookers {
		looking.Go(func() {
			for n := i; n < len(h.users) && errs[i] == nil; n += lookers {
				errs[i] = l.examine(ctx, h.users[n], h.tally.Starts+n)
			}
		})
	}
	looking.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("look at a server that has just started: %w\n%s", err, h.server.Log())
	}
	if err := h.fsck(ctx); err != nil || h.violations.any() {
		return err
	}
	living := make(map[int]bool)
	for _, u := range h.users {
		if picture, ok := u.certain(h.clock.tick()); ok && picture != none {
			living[picture] = true
		}
	}
	found, err := h.search(living, "recovered")
	if err != nil {
		return err
	}
	for picture := range living {
		if found[picture] != 1 {
			h.violations.add(h.free.holder(picture), unclean, "picture %d, which lives, is in %d places", picture, found[picture])
		}
	}
	h.free.refill(len(h.pictures.All), living)
	return nil
}

// fsck lets the program itself compare metadata and bytes.
func (h *harness) fsck(ctx context.Context) error {
	printed, err := h.testbed.Fsck(ctx)
	if errors.Is(err, testbed.ErrFindings) {
		h.violations.add(nil, unclean, "fsck has findings:\n%s", printed)
		return nil
	}
	return err
}

// examine looks at one user on all read paths: as the public and as the user, without a picture, with the tag of one that is
// gone and with that of the picture there is. Those whom nothing happened to are seen by the public only, most times.
func (l *load) examine(ctx context.Context, u *user, turn int) error {
	touched := u.touched() || u.standing.touched()
	seen, err := l.insist(ctx, u, false, "")
	if err != nil {
		return err
	}
	u.start(seen)
	if !touched && turn%8 != 0 {
		return nil
	}
	if err := l.examineStanding(ctx, u); err != nil {
		return err
	}
	if _, err := l.insist(ctx, u, true, ""); err != nil {
		return err
	}
	for _, old := range []bool{true, false} {
		if tag := u.tag(old); tag != "" {
			if _, err := l.insist(ctx, u, turn%2 == 0, tag); err != nil {
				return err
			}
		}
	}
	return nil
}

// insist is look, again and again while the server is busy.
func (l *load) insist(ctx context.Context, u *user, own bool, asked string) (seen int, err error) {
	for range 100 {
		if seen, err = l.look(ctx, u, own, asked); !errors.Is(err, errBusy) {
			break
		}
		testbed.Pause(ctx, 20*time.Millisecond)
	}
	switch {
	case errors.Is(err, errBusy):
		l.violations.add(u, lost, "the server cannot read the picture, over and over")
		return seen, nil
	case errors.Is(err, errNoPicture): // among the violations
		return seen, nil
	}
	return seen, err
}

// retire takes a last look at a data directory: the server starts once more, stops as it should, and everything is compared
// from the beginning.
func (h *harness) retire(ctx context.Context) error {
	up, err := h.serve(ctx, kill{}, nil)
	if err != nil || !up {
		return err
	}
	err = h.server.Stop()
	log := h.server.Log()
	h.server = nil
	if err != nil {
		h.violations.add(nil, unready, "the server did not stop as it should: %v\n%s", err, log)
	}
	living := make(map[int]bool)
	for _, u := range h.users {
		for _, picture := range u.may(h.clock.tick(), never-1) {
			living[picture] = true
		}
	}
	if _, err := h.search(living, "stopped"); err != nil {
		return err
	}
	if err := errors.Join(h.compareReceipts(true), h.fsck(ctx)); err != nil {
		return err
	}
	err = h.testbed.Close()
	if h.violations.any() { // the directory explains them
		return err
	}
	h.testbed = nil
	return errors.Join(err, os.RemoveAll(filepath.Join(h.dir, "testbed-"+fmt.Sprint(h.testbeds))))
}

// touched reports whether the user's history has more than its beginning.
func (h *history) touched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.writes, func(w write) bool { return w.begin != 0 })
}
