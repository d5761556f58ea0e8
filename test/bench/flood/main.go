// Command flood shows that invented tokens get in nobody's way: while 2,000 of them a second come from one address,
// calls with a known token from the same address keep their rate, the identity provider is asked at most 64 things at
// once, and the server's memory does not grow.
//
// The server is a process of its own, put together as the program does it; the provider, which takes its time to
// answer, and the callers are in this one. Callers come at a fixed rate, whether earlier ones have their answer or not:
// otherwise a slow server would slow down the flood.
//
//	main.go ─► serve.go (the server's process)
//	   └─────► provider.go, pace.go, memory_linux.go ─► verdict.go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"example.org/avatard/test/program"
)

func main() {
	os.Exit(program.Main("flood", func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		return run(ctx, args, os.Stdin, stdout, stderr)
	}))
}

// roleServe is the process of the server, which the program starts of itself.
const roleServe = "serve-role"

// options is what one run does.
type options struct {
	garbage  int           // invented tokens a second
	calls    int           // calls with known tokens a second
	tokens   int           // known tokens that take turns
	quiet    time.Duration // without a flood, before it
	flood    time.Duration
	provider time.Duration // how long the provider takes for an answer
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("flood", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.garbage, "garbage", 2000, "invented tokens a second")
	fs.IntVar(&o.calls, "calls", 200, "calls with known tokens a second")
	fs.IntVar(&o.tokens, "tokens", 20, "known tokens that take turns")
	fs.DurationVar(&o.quiet, "quiet", 5*time.Second, "how long there is no flood, for comparison")
	fs.DurationVar(&o.flood, "for", 20*time.Second, "how long the flood lasts")
	fs.DurationVar(&o.provider, "provider", 250*time.Millisecond, "how long the provider takes for an answer")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("flags only, not %q", fs.Arg(0))
	case o.garbage < 1 || o.calls < 1 || o.tokens < 1 || o.quiet < 100*time.Millisecond || o.flood < 100*time.Millisecond || o.provider < 0:
		return o, errors.New("rates, tokens and times must be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == roleServe {
		return serveRole(ctx, stdin, stdout, stderr)
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	res, err := measure(ctx, o, stderr)
	if err != nil {
		return err
	}
	return res.report(stdout, o)
}

// measure runs both phases.
func measure(ctx context.Context, o options, stderr io.Writer) (res result, err error) {
	p, err := startProvider(o.provider)
	if err != nil {
		return res, err
	}
	defer p.ClosePort()
	tokens, err := p.knownTokens(o.tokens)
	if err != nil {
		return res, err
	}
	srv, err := startServer(ctx, p, stderr)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()

	caller := newCaller(srv.url, p.user)
	defer caller.close()
	known := func(ctx context.Context, n int) int { return caller.remove(ctx, tokens[n%len(tokens)]) }
	garbage := func(ctx context.Context, n int) int { return caller.remove(ctx, inventedToken(n)) }

	for n := range tokens { // so that they are known
		if status := known(ctx, n); status != 200 {
			return res, fmt.Errorf("a call with a known token was answered %d", status)
		}
	}
	res.quiet = pace(ctx, o.calls, o.quiet, known)
	if res.memoryBefore, err = residentMemory(srv.pid()); err != nil {
		return res, err
	}
	p.resetMost()
	asked := p.asked.Load()
	flood := make(chan phase, 1)
	go func() { flood <- pace(ctx, o.garbage, o.flood, garbage) }()
	// The first second fills tables and connections; what grows after it grows with the flood.
	settled := make(chan error, 1)
	go func() {
		var err error
		if wait(ctx, o.flood/4) {
			res.memoryEarly, err = residentMemory(srv.pid())
		}
		settled <- err
	}()
	res.known = pace(ctx, o.calls, o.flood, known)
	res.flood = <-flood
	if err := <-settled; err != nil {
		return res, err
	}
	res.asked, res.most = p.asked.Load()-asked, p.most.Load()
	res.memoryAfter, err = residentMemory(srv.pid())
	return res, errors.Join(err, ctx.Err())
}
