package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// runner starts the processes and has them take turns.
type runner struct {
	opts     options
	progress io.Writer

	dir     string
	load    *child
	servers map[target]*process
	last    map[cell]int // calls in the latest slice of a cell
	res     *results
}

// process is the server of one target.
type process struct {
	*child
	address string
	token   string
	deletes int
}

const (
	warmUp     = 2 // calls of each caller before a slice
	probeTimes = 100
)

// measure runs all rounds and ends all processes, whatever happens.
func (c *runner) measure(ctx context.Context) (_ *results, err error) {
	if c.dir, err = os.MkdirTemp(c.opts.dir, "avatard-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	if c.opts.profile != "" {
		if err := os.MkdirAll(c.opts.profile, 0o700); err != nil {
			return nil, err
		}
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	c.last = make(map[cell]int)
	c.res = &results{samples: make(map[cell][]sample)}
	for round := range c.opts.rounds {
		if err := c.round(ctx, round); err != nil {
			return nil, err
		}
		fmt.Fprintf(c.progress, "round %d of %d\n", round+1, c.opts.rounds)
	}
	return c.res, c.remember()
}

func (c *runner) start(ctx context.Context) (err error) {
	if c.load, err = startChild(ctx, roleLoad, "callers", c.progress); err != nil {
		return err
	}
	c.servers = make(map[target]*process)
	for _, t := range c.opts.targets {
		s := &process{}
		if s.child, err = startChild(ctx, roleServe, string(t), c.progress); err != nil {
			return err
		}
		c.servers[t] = s
		r, err := s.ask(command{Do: "start", Target: t, Dir: filepath.Join(c.dir, string(t)), Pool: c.opts.pool, Bytes: c.opts.bytes})
		if err != nil {
			return err
		}
		s.address, s.token = r.Address, r.Token
	}
	return nil
}

func (c *runner) stop() error {
	var errs []error
	if c.load != nil {
		errs = append(errs, c.load.stop())
	}
	for _, s := range c.servers {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// round measures every cell once. Every other round goes through the targets the other way round, so that none is
// always the one after the busiest.
func (c *runner) round(ctx context.Context, round int) error {
	disk, err := probeDisk(c.dir, probeTimes)
	if err != nil {
		return fmt.Errorf("probe the disk: %w", err)
	}
	c.res.disk = append(c.res.disk, disk)
	targets := slices.Clone(c.opts.targets)
	if round%2 == 1 {
		slices.Reverse(targets)
	}
	for _, callers := range c.opts.callers {
		for _, f := range c.opts.forms {
			for _, t := range targets {
				if err := ctx.Err(); err != nil {
					return err
				}
				at := cell{f, callers, t}
				one, err := c.slice(at, round, c.expected(at), c.opts.slice)
				if err != nil {
					return fmt.Errorf("%s, %d callers, %s: %w", f, callers, t, err)
				}
				c.res.samples[at] = append(c.res.samples[at], one)
			}
		}
	}
	return nil
}

// expected is how many calls the next slice of a cell may make, with room.
func (c *runner) expected(at cell) int {
	if last := c.last[at]; last > 0 {
		return last*3/2 + at.Callers
	}
	perSecond := 12_000
	if at.Callers == 1 {
		perSecond = 4_000
	}
	return int(c.opts.slice.Seconds()*float64(perSecond)) + 2*at.Callers
}

// slice measures one cell once, with at most calls calls.
func (c *runner) slice(at cell, round, calls int, length time.Duration) (sample, error) {
	s := c.servers[at.Target]
	limit := min(warmUp*at.Callers+calls, c.opts.pool)
	open := command{Do: "open", Form: at.Form.on(at.Target), Address: s.address, Token: s.token, Want: at.Target.want(),
		Callers: at.Callers, WarmUp: warmUp, Pool: c.opts.pool, Limit: c.opts.pool * 1000}
	if at.Target.stores() {
		r, err := s.ask(command{Do: "fill", Count: limit})
		if err != nil {
			return sample{}, err
		}
		open.First, open.Limit = r.First, limit
	}
	if _, err := c.load.ask(open); err != nil {
		return sample{}, err
	}
	if err := c.profile(s, at, round, true); err != nil {
		return sample{}, err
	}
	before, err := s.ask(command{Do: "usage"})
	if err != nil {
		return sample{}, err
	}
	ran, err := c.load.ask(command{Do: "run", Slice: length})
	if err != nil {
		return sample{}, err
	}
	after, err := s.ask(command{Do: "usage"})
	if err != nil {
		return sample{}, err
	}
	if err := c.profile(s, at, round, false); err != nil {
		return sample{}, err
	}
	one := newSample(before.Usage, after.Usage, ran.Slice)
	if at.Target.stores() {
		c.last[at] = ran.Slice.Calls
		s.deletes += ran.Slice.Users
		if one.Erased != int64(one.Calls) {
			return sample{}, fmt.Errorf("%d calls erased %d pictures", one.Calls, one.Erased)
		}
		if _, err := s.ask(command{Do: "took", Count: ran.Slice.Users}); err != nil {
			return sample{}, err
		}
	}
	return one, nil
}

// profile begins or ends the CPU profile of a slice, if profiles are wanted.
func (c *runner) profile(s *process, at cell, round int, begin bool) error {
	if c.opts.profile == "" {
		return nil
	}
	var file string
	if begin {
		file = filepath.Join(c.opts.profile, fmt.Sprintf("%s-%s-%d-%d.pb.gz", at.Target, at.Form, at.Callers, round))
	}
	_, err := s.ask(command{Do: "profile", File: file})
	return err
}

// remember makes the embedded server delete as many pictures as it takes, and notes its memory.
func (c *runner) remember() error {
	s := c.servers[targetEmbedded]
	if s == nil {
		return nil
	}
	at := cell{formConnectProto, 128, targetEmbedded}
	for s.deletes < c.opts.deletes {
		if _, err := c.slice(at, c.opts.rounds, c.opts.deletes-s.deletes, callTimeout/2); err != nil {
			return fmt.Errorf("delete %d pictures: %w", c.opts.deletes, err)
		}
	}
	r, err := s.ask(command{Do: "usage"})
	c.res.deletes, c.res.memory = s.deletes, r.Usage
	return err
}
