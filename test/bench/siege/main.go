// Command siege shows what strangers can do to a server that stands in the open, without a proxy in front: nothing that
// others notice. It starts the program itself with a real data directory and an identity provider, lets callers with
// good manners come at a fixed rate from addresses of their own, and attacks from others beside them.
//
// Each attack is one that once worked. The server has a fresh process for each round; a round is a quiet slice and then
// one under attack, and what counts is the median over the rounds. The attack is a process of its own with a fixed number
// of attempts a second, a single thread and the lowest priority: it takes what the server gives it, not the
// processors. Losses of others then come from things that the server lets strangers hold.
//
//	main.go ─► round.go (the server's process, from package testbed, and the callers of victim.go and bystander.go)
//	   │          └─► attack.go (the attack's process) ─► held.go, connections.go, readers.go, reflection.go, uploads.go, refused.go
//	   └─────► verdict.go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

func main() {
	os.Exit(program.Main("siege", func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		return run(ctx, args, os.Stdin, stdout, stderr)
	}))
}

// options is what one run does.
type options struct {
	attacks []attack
	rounds  int
	quiet   time.Duration // before the attack, for comparison
	siege   time.Duration // while it lasts, from when everything is in place
	rate    int           // calls a second of each victim
	memory  int           // MiB that the server may have at most
	held    int           // connections with calls that are held open
	least   time.Duration // that a quiet percentile counts as
	percent int           // percentile of the times to an answer that counts
	binary  string        // the program; "" = built from this repository
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("siege", flag.ContinueOnError)
	fs.SetOutput(stderr)
	names := fs.String("attacks", "", "attacks to make, such as held,readers; all without it: "+strings.Join(attackNames(), ", "))
	short := fs.Bool("short", false, "a form for every change: one round of each, under a minute in all")
	fs.IntVar(&o.rounds, "rounds", 3, "quiet and attacked slices of each attack, of which the median counts")
	fs.DurationVar(&o.quiet, "quiet", 4*time.Second, "length of a quiet slice")
	fs.DurationVar(&o.siege, "for", 6*time.Second, "length of a slice under attack")
	fs.IntVar(&o.rate, "rate", 20, "calls a second of each victim")
	fs.IntVar(&o.memory, "memory", maxMemoryMiB, "MiB of memory that the server may take")
	fs.StringVar(&o.binary, "binary", "", "avatard program to attack; built from this repository without it")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.held, o.least, o.percent = 1000, leastTime, percent
	if *short {
		o.rounds, o.quiet, o.siege = 1, time.Second, 1500*time.Millisecond
		o.held, o.least, o.percent = 20, leastTimeShort, percentShort
	}
	var err error
	if o.attacks, err = attacksNamed(*names); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("flags only, not %q", fs.Arg(0))
	case o.rounds < 1 || o.rate < 1 || o.memory < 1 || o.quiet < 100*time.Millisecond || o.siege < 100*time.Millisecond:
		return o, errors.New("rounds, rates, memory and times must be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == roleAttack {
		return attackRole(ctx, stdin, stdout)
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	if err := checkSystem(ctx); err != nil {
		return err
	}
	results, err := measure(ctx, o, stdout)
	if err != nil {
		return err
	}
	return report(stdout, o, results)
}

// measure makes every attack, round after round.
func measure(ctx context.Context, o options, progress io.Writer) (results []result, err error) {
	dir, err := os.MkdirTemp("", "avatard-siege-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.binary == "" {
		if o.binary, err = testbed.Build(ctx, dir); err != nil {
			return nil, err
		}
	}
	g, err := newGround(ctx, o.binary, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	for _, a := range o.attacks {
		r := result{attack: a}
		for range o.rounds {
			round, err := g.round(ctx, o, a)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.name, err)
			}
			r.rounds = append(r.rounds, round)
		}
		fmt.Fprintf(progress, "%s", r.lines(o))
		results = append(results, r)
	}
	return results, ctx.Err()
}
