package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxCallers = 1024
	// callTimeout ends a slice that hangs.
	callTimeout = time.Minute
)

// sliceResult is what the callers saw of one slice.
type sliceResult struct {
	Calls   int // within the slice
	Users   int // called for, those of the warm-up included
	Elapsed time.Duration
	P50     time.Duration
	P99     time.Duration
	CPU     time.Duration // of the callers' process
}

// loadRole calls servers as it is told.
func loadRole(ctx context.Context, in io.Reader, out io.Writer) error {
	var l *load
	return obey(in, out, func(cmd command) (r reply, err error) {
		switch cmd.Do {
		case "open":
			l, err = openLoad(ctx, cmd)
		case "run":
			if l == nil {
				return r, errors.New("nothing is open")
			}
			r.Slice, err = l.run(cmd.Slice)
			l = nil
		default:
			err = fmt.Errorf("unknown command %q", cmd.Do)
		}
		return r, err
	})
}

// load is a number of callers with open connections.
type load struct {
	callers []caller
	first   int
	limit   int64
	pool    int
	next    atomic.Int64
}

// openLoad connects the callers and lets each make some calls, which fill caches and tables.
func openLoad(ctx context.Context, cmd command) (*load, error) {
	l := &load{first: cmd.First, limit: int64(cmd.Limit), pool: cmd.Pool}
	for range cmd.Callers {
		c, err := dial(ctx, cmd)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.callers = append(l.callers, c)
	}
	if _, err := l.each(func(c caller, _ *[]time.Duration) error {
		for range cmd.WarmUp {
			if _, err := l.call(c); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func dial(ctx context.Context, cmd command) (caller, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", cmd.Address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if cmd.Form != formGRPC {
		return newHTTP1Caller(conn, cmd.Form, cmd.Token, cmd.Want), nil
	}
	c, err := newHTTP2Caller(conn, cmd.Token, cmd.Want)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// call calls for the next user. more is false when there is none left.
func (l *load) call(c caller) (more bool, err error) {
	i := l.next.Add(1) - 1
	if i >= l.limit {
		return false, nil
	}
	return true, c.call(userID((l.first + int(i)) % l.pool))
}

// run lets all callers call, one call after the other each, until the time is over or every user was called for.
func (l *load) run(slice time.Duration) (sliceResult, error) {
	cpu := processCPU()
	begin := time.Now()
	end := begin.Add(slice)
	latencies, err := l.each(func(c caller, took *[]time.Duration) error {
		for now := time.Now(); now.Before(end); {
			more, err := l.call(c)
			if err != nil || !more {
				return err
			}
			then := now
			now = time.Now()
			*took = append(*took, now.Sub(then))
		}
		return nil
	})
	res := sliceResult{Calls: len(latencies), Users: int(min(l.next.Load(), l.limit)), Elapsed: time.Since(begin), CPU: processCPU() - cpu}
	if err = errors.Join(err, l.close()); err != nil {
		return res, err
	}
	if len(latencies) == 0 {
		return res, errors.New("not one call ended within the slice")
	}
	slices.Sort(latencies)
	res.P50, res.P99 = percentile(latencies, 50), percentile(latencies, 99)
	return res, nil
}

// each runs work for all callers at once and returns all the times it noted.
func (l *load) each(work func(c caller, took *[]time.Duration) error) ([]time.Duration, error) {
	took := make([][]time.Duration, len(l.callers))
	errs := make([]error, len(l.callers))
	var group sync.WaitGroup
	for i, c := range l.callers {
		took[i] = make([]time.Duration, 0, 1<<10)
		group.Go(func() { errs[i] = work(c, &took[i]) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err // one tells enough; the others mostly repeat it
		}
	}
	return slices.Concat(took...), nil
}

func (l *load) close() error {
	var errs []error
	for _, c := range l.callers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// percentile returns the smallest value that at least p per cent of the sorted ones do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
