package authz

import (
	"context"
	"errors"
)

// reservedForKnown of the maxConcurrent questions that may be under way are for known tokens alone.
const reservedForKnown = 16

// priority decides how much of the concurrency limit a question may use.
type priority int

const (
	unlimited    priority = iota // discovery, of which there is only one at a time
	highPriority                 // about a known token
	lowPriority                  // about any other token
)

// concurrencyLimit bounds the questions to the provider that are under way at one time. It is two semaphores: questions about unknown
// tokens must acquire a smaller one first, so that some capacity is always left for known tokens.
type concurrencyLimit struct {
	all, unknown chan struct{}
}

func newConcurrencyLimit() concurrencyLimit {
	return concurrencyLimit{all: make(chan struct{}, maxConcurrent), unknown: make(chan struct{}, maxConcurrent-reservedForKnown)}
}

// errNoCapacity says nothing about the provider: it was not asked, or hardly.
var errNoCapacity = errors.New("no place among the questions in time")

// acquire waits until a question of this priority may be asked. A caller that gets nil must call release with the same priority.
func (l concurrencyLimit) acquire(ctx context.Context, priority priority) error {
	if priority == unlimited {
		return nil
	}
	if priority == lowPriority {
		select {
		case l.unknown <- struct{}{}:
		case <-ctx.Done():
			return errNoCapacity
		}
	}
	select {
	case l.all <- struct{}{}:
		return nil
	case <-ctx.Done():
		if priority == lowPriority {
			<-l.unknown
		}
		return errNoCapacity
	}
}

func (l concurrencyLimit) release(priority priority) {
	if priority == unlimited {
		return
	}
	<-l.all
	if priority == lowPriority {
		<-l.unknown
	}
}
