package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/bench/usage"
)

// sampleEvery is how often memory is looked at.
const sampleEvery = 20 * time.Millisecond

// found makes any finding an error: there is nothing to find.
func found(f storage.Finding) error { return fmt.Errorf("found %+v", f) }

// checkAlone checks the directory as fsck does when no server runs.
func checkAlone(ctx context.Context, dir string, users int) (r result, err error) {
	r.BeforeBytes, r.PeakBytes, err = watchMemory(func() error {
		began := time.Now()
		r.Summary, err = embedded.CheckDir(ctx, embedded.Config{Dir: dir}, storage.CheckOptions{}, found)
		r.Took, r.CPU = time.Since(began), usage.CPU()
		return errors.Join(err, complete(r.Summary, users, 0))
	})
	return r, err
}

// checkInside checks an open store while somebody uses it.
func checkInside(ctx context.Context, dir string, users int) (r result, err error) {
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	quiet, enough := context.WithTimeout(ctx, 3*time.Second)
	defer enough()
	if r.Quiet, _, err = change(quiet, s, users, min(users/2, maxChanges)); err != nil {
		return r, err
	}
	runtime.GC()
	r.BeforeBytes, r.PeakBytes, err = watchMemory(func() (err error) {
		beside, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		var changes int
		var changed error
		wg.Go(func() { r.Beside, changes, changed = change(beside, s, users, maxChanges) })
		began := time.Now()
		r.Summary, err = s.Check(ctx, storage.CheckOptions{}, found)
		r.Took = time.Since(began)
		stop()
		wg.Wait()
		return errors.Join(err, changed, complete(r.Summary, users, changes))
	})
	return r, err
}

// complete reports whether a check has looked at everybody. Each picture that changed its slot meanwhile may be missing from
// the count.
func complete(sum storage.CheckSummary, users, changes int) error {
	pictures := users - (users+15)/16
	if sum.Users != int64(users) || sum.Pictures < int64(pictures-changes) || sum.Pictures > int64(pictures+changes) {
		return fmt.Errorf("the check has looked at %+v, there are %d users with %d pictures and were %d changes", sum, users, pictures, changes)
	}
	return nil
}

// maxChanges bounds the changes whose times are kept.
const maxChanges = 100_000

// change replaces pictures, one after the other, until ctx ends or there were so many, and returns how long that took (the
// median, the time that 99 of 100 did not need, the longest) and how many there were.
func change(ctx context.Context, s *embedded.Store, users, limit int) (took [3]time.Duration, changes int, err error) {
	random, buf := newRandom(2), make([]byte, maxBytes)
	var all []time.Duration
	for ctx.Err() == nil && len(all) < limit {
		i := random.IntN(users)
		if i%16 == 0 {
			continue // has none, and is counted so
		}
		began := time.Now()
		if _, err := s.Put(context.WithoutCancel(ctx), upload(i, random, buf)); err != nil {
			return took, len(all), err
		}
		all = append(all, time.Since(began))
	}
	if len(all) == 0 {
		return took, 0, nil
	}
	slices.Sort(all)
	for i, at := range []int{len(all) / 2, len(all) * 99 / 100, len(all) - 1} {
		took[i] = all[at].Round(10 * time.Microsecond)
	}
	return took, len(all), nil
}

// watchMemory returns how much memory of this process was resident before do and at most while it ran.
func watchMemory(do func() error) (before, most int64, err error) {
	if before, err = usage.Resident(); err != nil {
		return 0, 0, err
	}
	most = before
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			if now, err := usage.Resident(); err == nil {
				most = max(most, now)
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	err = do()
	close(stop)
	<-stopped
	return before, most, err
}
