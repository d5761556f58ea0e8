package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/test/proof/testbed"
)

// mover is the process that moves, one after the other.
type mover struct {
	testbed.Current
	gone atomic.Bool // the source is not what counts any more, or is about to be
}

func (m *mover) isGone() bool { return m.gone.Load() }

// phase is what a move is doing.
type phase int

const (
	copying phase = iota
	comparing
	erasing
	moved
)

func (f phase) String() string { return [...]string{"copying", "comparing", "erasing", "moved"}[f] }

// phaseNow finds out from outside what the move is doing.
func (p *proof) phaseNow(ctx context.Context) (phase, error) {
	d, err := p.from.Departure(ctx)
	switch {
	case err != nil:
		return copying, err
	case d.Erased:
		return moved, nil
	case d.Gone:
		p.mover.gone.Store(true)
		return erasing, nil
	}
	conn, err := p.query(ctx)
	if err != nil {
		return copying, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var here int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM person`).Scan(&here); err != nil || here < len(p.users) {
		return copying, nil // the table may not be there yet
	}
	return comparing, nil
}

// moveUnderLoad starts the mover and callers, and kills the mover so and so often in each phase.
func (p *proof) moveUnderLoad(ctx context.Context) (err error) {
	if err := p.mover.Start(ctx, p.testbed); err != nil {
		return err
	}
	if err := p.knowFolders(ctx); err != nil {
		return err
	}
	calling, stop := context.WithCancel(ctx)
	var callers sync.WaitGroup
	defer func() {
		stop()
		callers.Wait()
	}()
	for i := range p.o.callers {
		random := rand.New(rand.NewPCG(p.o.seed, uint64(i)))
		callers.Go(func() { p.caller(calling, random) })
	}
	return p.killAndWait(ctx)
}

// knowFolders reads the key of the names in the bucket, which the move has made.
func (p *proof) knowFolders(ctx context.Context) error {
	conn, err := p.query(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	p.folders.issuer = p.testbed.Issuer()
	return conn.QueryRow(ctx, `SELECT folder_key FROM installation`).Scan(&p.folders.key)
}

const (
	lookEvery = 50 * time.Millisecond
	moveLimit = 2 * time.Hour
)

// killAndWait kills the mover until each phase has had its share, and returns when the source is erased.
func (p *proof) killAndWait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	random := rand.New(rand.NewPCG(p.o.seed, 1<<40))
	share := [...]int{copying: p.o.kills - p.o.kills/4*2, comparing: p.o.kills / 4, erasing: p.o.kills / 4, moved: 0}
	next := time.Now()
	for ; ; testbed.Pause(ctx, lookEvery) {
		now, err := p.phaseNow(ctx)
		switch {
		case ctx.Err() != nil:
			return errors.Join(context.Cause(ctx), fmt.Errorf("the move did not end while it was %s", now))
		case err != nil:
			return err
		case now == moved:
			return nil
		case share[now] == 0 || time.Now().Before(next):
			continue
		}
		// In each phase earlier kills come quickly, later ones leave time to get somewhere.
		p.figures.kills[now]++
		share[now]--
		p.mover.Kill()
		began := time.Now()
		if err := p.mover.Start(ctx, p.testbed); err != nil {
			return err
		}
		p.figures.restarts = append(p.figures.restarts, time.Since(began))
		next = time.Now().Add(time.Duration(random.Int64N(int64(time.Second) * int64(p.figures.kills[now]+1))))
	}
}
