package cli

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"example.org/avatard/server"
)

// drain is the time between the first signal and the end of listening, in which load balancers learn to send traffic elsewhere.
type drain struct {
	delay  time.Duration
	logger *slog.Logger
	begun  atomic.Bool
}

var errShuttingDown = errors.New("the server is shutting down")

// checks returns the check that fails during that time, for /readyz and the health service. It returns none when the delay is 0.
func (d *drain) checks() []server.Check {
	if d.delay == 0 {
		return nil
	}
	return []server.Check{{Name: "shutdown", Ready: func(context.Context) error {
		if d.begun.Load() {
			return errShuttingDown
		}
		return nil
	}}}
}

// after returns a context that ends the delay after ctx, or with the second signal from now on. The next one ends the process.
func (d *drain) after(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.delay == 0 {
		return ctx, func() {}
	}
	hurry, release := onSecondSignal(ctx, syscall.SIGINT, syscall.SIGTERM)
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer release()
		defer cancel()
		select {
		case <-ctx.Done():
		case <-later.Done():
			return
		}
		d.begun.Store(true)
		d.logger.Info("not ready any more; going on to listen for a while", "delay", d.delay)
		timer := time.NewTimer(d.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-hurry.Done():
		case <-later.Done():
		}
	}()
	return later, cancel
}
