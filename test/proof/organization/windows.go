package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/test/proof/testbed"
)

const (
	// lookEvery is how often the list of users is looked at, in all windows.
	lookEvery = 50 * time.Millisecond
	// lastPart is the part of the users, in per cent, that is left for one call which is not ended before nobody is.
	lastPart = 5
	// besideParts is how many times longer callers are counted beside the erasure than alone: it is to be done some time.
	besideParts = 3
	// unmeasured is how long an erasure goes on at most when nothing is measured.
	unmeasured = 20 * time.Second
)

// window is a stretch of time in which callers were counted.
type window struct {
	answered int64
	took     time.Duration
}

func (w window) rate() float64 { return float64(w.answered) / w.took.Seconds() }

// eraseUnderLoad erases the organisation beside callers: in windows, between which callers are counted without an erasure, until each kill
// has come and few users are left; then in one go.
func (p *proof) eraseUnderLoad(ctx context.Context) error {
	if err := p.server.Start(ctx, p.testbed); err != nil {
		return err
	}
	calling, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() {
		stop()
		running.Wait()
	}()
	for n := range p.o.callers {
		c, err := p.newCaller(ctx, n)
		if err != nil {
			return err
		}
		running.Go(func() { c.run(calling) })
	}
	began := time.Now()
	if err := p.eraseInWindows(ctx); err != nil {
		return err
	}
	if err := p.eraseTheRest(ctx); err != nil {
		return err
	}
	p.figures.took = time.Since(began)
	return nil
}

func (p *proof) eraseInWindows(ctx context.Context) error {
	for kill := 1; kill <= p.o.kills+1; {
		until := p.o.users * kill / (p.o.kills + 1)
		if kill > p.o.kills {
			until = p.o.users - p.o.users*lastPart/100
		}
		alone, _, err := p.count(ctx, p.o.window, until)
		if err != nil {
			return err
		}
		beside, reached, err := p.countBeside(ctx, until, kill <= p.o.kills)
		switch {
		case err != nil:
			return err
		case reached:
			kill++
		case p.o.window > 0:
			p.figures.alone, p.figures.beside = append(p.figures.alone, alone), append(p.figures.beside, beside)
		}
	}
	return nil
}

// count counts callers for a while. reached tells that it ended before because so many users were gone.
func (p *proof) count(ctx context.Context, lasts time.Duration, until int) (w window, reached bool, err error) {
	began, before := time.Now(), p.meter.answered.Load()
	for ctx.Err() == nil {
		testbed.Pause(ctx, min(lookEvery, max(0, lasts-time.Since(began))))
		gone, err := p.gone(ctx)
		if err != nil || gone >= until {
			return w, true, err
		}
		if w.took = time.Since(began); w.took >= lasts {
			w.answered = p.meter.answered.Load() - before
			return w, false, nil
		}
	}
	return w, false, ctx.Err()
}

// countBeside counts callers while the organisation is erased, from the first user who goes on. When so many are gone it
// kills the server, if it may, and starts it again.
func (p *proof) countBeside(ctx context.Context, until int, kill bool) (w window, reached bool, err error) {
	before, err := p.gone(ctx)
	if err != nil {
		return w, false, err
	}
	erasure := p.ask(ctx)
	defer erasure.stop()
	for gone := before; gone == before; gone, err = p.gone(ctx) {
		select {
		case <-erasure.over:
			return w, false, fmt.Errorf("the erasure by %s ended before anybody was erased: %w", erasure.how, erasure.err)
		case <-time.After(lookEvery):
		}
		if err != nil {
			return w, false, err
		}
	}
	lasts := p.o.window * besideParts
	if lasts == 0 {
		lasts = unmeasured
	}
	if w, reached, err = p.count(ctx, lasts, until); err != nil {
		return w, reached, err
	}
	if reached && kill {
		err = p.kill(ctx)
	} else {
		erasure.cancel()
	}
	<-erasure.over
	p.judge(erasure)
	return w, reached, err
}

// kill kills the server in the middle, looks at what that leaves, and starts the server again.
func (p *proof) kill(ctx context.Context) error {
	p.server.Kill()
	if err := p.autopsy(); err != nil {
		return err
	}
	began := time.Now()
	err := p.server.Start(ctx, p.testbed)
	p.figures.restarts = append(p.figures.restarts, time.Since(began))
	if err != nil {
		return err
	}
	gone, err := p.gone(ctx)
	p.figures.killedAt = append(p.figures.killedAt, gone)
	if err == nil && gone == p.o.users {
		err = errors.New("nobody was left when the server was killed")
	}
	return errors.Join(err, p.noteHead(ctx))
}

// judge looks at what a call has told: numbers that never fall.
func (p *proof) judge(a *asked) {
	if !slices.IsSorted(a.told) {
		p.wrong.add("the erasure by %s says %v", a.how, a.told)
	}
	p.figures.reports += len(a.told)
	for before, n := int64(0), 0; n < len(a.told); n++ {
		if a.told[n] > before {
			before = a.told[n]
			p.figures.rises++
		}
	}
}

// maxLastCalls is how many calls the rest may take: a stream ends by itself after 25 seconds.
const maxLastCalls = 20

// eraseTheRest lets calls go on until one says that it has finished.
func (p *proof) eraseTheRest(ctx context.Context) error {
	for range maxLastCalls {
		erasure := p.ask(ctx)
		<-erasure.over
		p.judge(erasure)
		switch {
		case erasure.err != nil:
			return fmt.Errorf("the erasure by %s: %w", erasure.how, erasure.err)
		case erasure.finished:
			return ctx.Err()
		}
	}
	return fmt.Errorf("the organisation is not erased after %d calls more", maxLastCalls)
}

// gone returns how many users are erased: those before the first in the list, as they go in its order.
func (p *proof) gone(ctx context.Context) (int, error) {
	reply, err := admin.NewClient(p.testbed.Data()).List(ctx, admin.ListRequest{Query: storage.UserQuery{Organization: testbed.OtherOrganization}})
	if errors.Is(err, admin.ErrRefused) { // the organisation has ended
		return p.o.users, nil
	}
	if err != nil || len(reply.Users) == 0 {
		return p.o.users, err
	}
	return strconv.Atoi(strings.TrimPrefix(reply.Users[0].User, "person-"))
}
