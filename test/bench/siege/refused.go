package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const (
	refusedAddresses = 4
	refusedPerSecond = 1000
)

const (
	// fillingCalls leave more lines than a pipe and the server's own memory for them take.
	fillingCalls     = 5000
	fillingPerSecond = 2500
)

// fillLog makes calls that leave a line each, and then goes on in vain.
func fillLog(ctx context.Context, a *attacker) error {
	pace := newPacer(ctx, fillingPerSecond)
	id := strings.Repeat("0123456789abcdef", 4) // of a request, as long as it may be
	var made atomic.Int64
	filling, stop := context.WithCancel(ctx)
	err := spread(filling, refusedAddresses*8, func(i int) {
		client := a.client(i%refusedAddresses, false)
		for made.Add(1) <= fillingCalls && pace.next() {
			a.call(ctx, client, http.MethodGet, "/healthz", nil, "X-Request-Id", id)
		}
	})
	stop()
	if err != nil {
		return err
	}
	a.ready()
	return callInVain(ctx, a)
}

// callInVain makes calls that are all refused: without a token, with one that nobody has made, on somebody else's picture,
// on nothing that is there.
func callInVain(ctx context.Context, a *attacker) error {
	pace := newPacer(ctx, refusedPerSecond)
	go func() {
		if wait(ctx, 500*time.Millisecond) {
			a.ready()
		}
	}()
	var turn atomic.Int64
	return spread(ctx, refusedAddresses*8, func(i int) {
		client := a.client(i%refusedAddresses, false)
		for pace.next() {
			n := turn.Add(1)
			user := "/management/v1/users/" + a.Users[int(n)%len(a.Users)] + "/avatar"
			switch n % 4 {
			case 0:
				a.call(ctx, client, http.MethodDelete, user, nil)
			case 1:
				a.call(ctx, client, http.MethodDelete, user, nil, "Authorization", "Bearer "+a.Accounts[int(n/4)%len(a.Accounts)])
			case 2:
				a.call(ctx, client, http.MethodGet, "/nothing/"+rand.Text(), nil)
			case 3:
				a.call(ctx, client, http.MethodDelete, user, nil, "Authorization", "Bearer "+rand.Text())
			}
		}
	})
}
