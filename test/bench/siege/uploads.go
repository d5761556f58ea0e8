package main

import (
	"context"
	"time"
)

// uploadSlowly has four accounts with more uploads each than they have places for, none of which comes to its end.
func uploadSlowly(ctx context.Context, a *attacker) error {
	accounts := a.Accounts[:4]
	go func() {
		if wait(ctx, 500*time.Millisecond) {
			a.ready()
		}
	}()
	return spread(ctx, len(accounts)*uploadsOfEach, func(i int) {
		trickle(ctx, a, i%len(accounts), accounts[i%len(accounts)])
	})
}
