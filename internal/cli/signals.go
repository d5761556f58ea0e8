package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// EndOnSignal returns a context that ends with the first SIGINT or SIGTERM. The next one ends the process at once, except
// in a command that counts them, see onSecondSignal.
func EndOnSignal(ctx context.Context) context.Context {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// endOnHangup returns a context that ends with SIGHUP, too: the terminal of a command is gone. One that was started to
// ignore that (nohup) goes on ignoring it.
func endOnHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// onSecondSignal returns a context that ends with the second of some signals from now on, or when it is cancelled. Until
// then none of them ends the process.
func onSecondSignal(ctx context.Context, signals ...os.Signal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	got := make(chan os.Signal, 2)
	signal.Notify(got, signals...)
	go func() {
		defer signal.Stop(got)
		for range 2 {
			select {
			case <-got:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx, cancel
}

// endingSignals are those that end a command which is not a server, see endOnHangup.
func endingSignals() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
