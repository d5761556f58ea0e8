package authz

import (
	"context"
	"sync"
)

// tokenPlaces of the maxConcurrent places are for questions about one token, of each kind. A token that is used in many organisations at
// once, and for which the provider hangs, would take all of them.
const tokenPlaces = maxConcurrent / 4

// byToken bounds the questions of one kind that are under way about one token.
type byToken struct {
	mu sync.Mutex
	of map[cacheKey]*ofToken // no token without a question
}

// ofToken are the places of one token.
type ofToken struct {
	places    chan struct{}
	questions int // that have a place, or wait for one
}

// take waits for a place among those of a token. A caller that gets one gives it back with free.
func (b *byToken) take(ctx context.Context, token cacheKey) error {
	b.mu.Lock()
	own := b.of[token]
	if own == nil {
		own = &ofToken{places: make(chan struct{}, tokenPlaces)}
		b.of[token] = own
	}
	own.questions++
	b.mu.Unlock()
	select {
	case own.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		b.leave(token, own)
		return errNoPlace
	}
}

func (b *byToken) free(token cacheKey) {
	b.mu.Lock()
	own := b.of[token]
	b.mu.Unlock()
	<-own.places
	b.leave(token, own)
}

func (b *byToken) leave(token cacheKey, own *ofToken) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if own.questions--; own.questions == 0 {
		delete(b.of, token)
	}
}
