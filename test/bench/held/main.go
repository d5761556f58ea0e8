//go:build linux

// Command held measures how much memory strangers without a token can make the server hold: 1,000 connections, on each as many
// requests as it may have, with the largest header fields, none of which ends or takes its answer.
//
//	go run ./test/bench/held                     every attack, on a server of its own that has no store
//	go run ./test/bench/held -at HOST:PORT -pid N    on a server that is there, whose resident memory is that of process N
//
// It prints the bytes sent and the most that was resident, and exits with 1 when that is more than -most MiB. The attacks come from
// -sources loopback addresses, so that the bounds of one address do not hide those of all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

type options struct {
	at, attacks               string
	pid, connections, sources int
	secure                    bool
	hold                      time.Duration
	most                      int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv(serveVariable) != "" { //nolint:forbidigo // a main of its own
		if err := serve(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.at, "at", "", "server to attack, `HOST:PORT` on loopback; empty for one of its own")
	flag.IntVar(&o.pid, "pid", 0, "process of that server")
	flag.BoolVar(&o.secure, "tls", false, "over TLS")
	flag.StringVar(&o.attacks, "attacks", strings.Join(attackNames(), ","), "which, by name")
	flag.IntVar(&o.connections, "connections", 1000, "how many at once")
	flag.IntVar(&o.sources, "sources", 40, "loopback addresses to come from")
	flag.DurationVar(&o.hold, "hold", 3*time.Second, "how long to go on after all are there")
	flag.IntVar(&o.most, "most", 384, "fail over this many `MiB` resident")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "held:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var failed error
	for name := range strings.SplitSeq(o.attacks, ",") {
		attack, ok := attacks[name]
		if !ok {
			return fmt.Errorf("no attack %q; there are %s", name, strings.Join(attackNames(), ", "))
		}
		result, err := measure(ctx, o, attack)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(os.Stdout, "%-10s tls %-5v %5d connections, %8.2f MiB sent: %4d -> %4d MiB resident\n", name, o.secure, o.connections,
			float64(result.sent)/(1<<20), result.before>>20, result.most>>20)
		if result.most > int64(o.most)<<20 {
			failed = errors.Join(failed, fmt.Errorf("%s: more than %d MiB", name, o.most))
		}
	}
	return failed
}
