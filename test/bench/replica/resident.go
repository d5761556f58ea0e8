package main

import (
	"errors"
	"slices"
	"time"

	"example.org/avatard/test/bench/usage"
)

// lookEvery is how often memory is looked at.
const lookEvery = 50 * time.Millisecond

// looks are what was resident, from time to time.
type looks struct {
	stop, done chan struct{}
	resident   []int64
	err        error
}

// lookAt looks at the memory of a process until end is called.
func lookAt(pid int) *looks {
	l := &looks{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for every := time.NewTicker(lookEvery); ; {
			now, _, err := usage.ResidentOf(pid)
			if l.err = err; err != nil {
				return
			}
			l.resident = append(l.resident, now)
			select {
			case <-every.C:
			case <-l.stop:
				every.Stop()
				return
			}
		}
	}()
	return l
}

// end returns the median, unless something has failed.
func (l *looks) end(failed error) (median int64, err error) {
	close(l.stop)
	<-l.done
	if err := errors.Join(failed, l.err); err != nil {
		return 0, err
	}
	slices.Sort(l.resident)
	return l.resident[len(l.resident)/2], nil
}
