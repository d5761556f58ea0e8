package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"example.org/avatard/internal/client"
)

// killAmid kills the server in the middle of the deletes of the next perKill pictures, searches what the kill has left, starts the server
// again, and sends all the deletes again.
func (p *proof) killAmid(ctx context.Context) error {
	first := deleted + len(p.report.Kills)*perKill
	unanswered, err := p.deleteUnderKill(ctx, first)
	if err != nil {
		return err
	}
	seen := Kill{Number: len(p.report.Kills) + 1, Deletes: perKill, Unanswered: len(unanswered)}
	for i := first; i < first+perKill; i++ {
		if p.gone[i] {
			seen.Answered++
		}
	}
	if _, err := p.search("right after a kill, before the next start"); err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	for _, i := range unanswered {
		there, err := p.read(ctx, i)
		switch {
		case err != nil:
			return p.problem("picture %d, whose delete had no answer, cannot be read after the next start: %v", i, err)
		case there:
			seen.Undone++
		default:
			seen.Done++
			p.gone[i] = true
		}
	}
	if _, err := p.search("after a kill and the next start"); err != nil {
		return err
	}
	if err := p.deleteAll(ctx, first, first+perKill); err != nil {
		return p.problem("a delete that was sent again after a kill failed: %v", err)
	}
	if err := p.wantGone(ctx, 0, first+perKill); err != nil {
		return err
	}
	if _, err := p.search("after deletes that were sent again"); err != nil {
		return err
	}
	p.report.Kills = append(p.report.Kills, seen)
	p.cfg.Tell(seen.String())
	return nil
}

// deleteUnderKill lets callers delete the pictures, and kills the server once some of the deletes are answered. It returns which deletes
// were sent and had no answer.
func (p *proof) deleteUnderKill(ctx context.Context, first int) (unanswered []int, err error) {
	after := 1 + rand.Int64N(perKill/2)                          //nolint:gosec // any moment is as good as another
	delay := time.Duration(rand.Int64N(int64(p.deleteTime) + 1)) //nolint:gosec // likewise
	var (
		server   = p.server
		answered atomic.Int64
		dead     atomic.Bool
		lost     [perKill]bool
	)
	p.server = nil
	err = inParallel(first, first+perKill, func(i int) error {
		if dead.Load() {
			return nil
		}
		_, err := p.client.Remove(ctx, target(i))
		switch {
		case errors.Is(err, client.ErrUnreachable):
			lost[i-first] = true
			dead.Store(true)
			return nil
		case err != nil:
			return err
		}
		p.gone[i] = true
		switch answered.Add(1) {
		case after:
			time.AfterFunc(delay, server.strike)
		case perKill - callers: // all others are under way
			server.strike()
		}
		return nil
	})
	server.kill()
	switch {
	case err != nil:
		return nil, p.problem("a delete failed while nothing was wrong: %v", err)
	case answered.Load() < after:
		return nil, fmt.Errorf("the server ended before it was killed: %s", server.last)
	}
	for i, is := range lost {
		if is {
			unanswered = append(unanswered, first+i)
		}
	}
	return unanswered, nil
}
