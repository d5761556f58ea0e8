package main

import (
	"context"
	"math/rand/v2"
	"time"

	"example.org/avatard/storage/cluster/clustertest"
)

// kills counts them by what was killed.
type kills struct{ Replica, Database, Gateway int }

func (k kills) all() int { return k.Replica + k.Database + k.Gateway }

// storm kills until ctx ends, and makes the network bad now and then. Everything is up again when it returns.
func (w *world) storm(ctx context.Context, random *rand.Rand) (k kills, err error) {
	done := make(chan struct{})
	network := rand.New(rand.NewPCG(random.Uint64(), 1))
	go func() {
		defer close(done)
		w.badWeather(ctx, network)
	}()
	defer func() { <-done; w.starting.Wait() }()
	for ctx.Err() == nil && err == nil {
		pause(ctx, 300*time.Millisecond+time.Duration(random.Int64N(int64(2*time.Second))))
		down := time.Duration(random.Int64N(int64(time.Second)))
		if ctx.Err() != nil {
			break
		}
		switch n := random.IntN(4); n {
		case 0:
			k.Database++
			err = again(ctx, w.servers.Database, down)
		case 1:
			k.Gateway++
			err = again(ctx, w.servers.Gateway, down)
		default:
			if w.kill(context.WithoutCancel(ctx), random.IntN(replicas), down) {
				k.Replica++
			}
		}
	}
	return k, err
}

// again kills a server and starts it again.
func again(ctx context.Context, server *clustertest.Process, down time.Duration) error {
	server.Kill()
	pause(ctx, down)
	return server.Start()
}

// badWeather makes the network bad for a while, before one server or the other.
func (w *world) badWeather(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		pause(ctx, time.Duration(random.Int64N(int64(1500*time.Millisecond))))
		p := w.database
		if random.IntN(2) == 0 {
			p = w.gateway
		}
		lasts := 200*time.Millisecond + time.Duration(random.Int64N(int64(800*time.Millisecond)))
		f := fault(1 + random.IntN(int(faults)-1))
		if f == hold && random.IntN(3) == 0 {
			lasts *= 8
		}
		p.set(f, lasts, []float64{1, 0.4, 0.1}[random.IntN(3)])
		pause(ctx, lasts)
	}
}
