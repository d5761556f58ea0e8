// Command reads measures reads of pictures. With -http it compares them with a bare handler that writes the same bytes (compare.go).
//
// Without, it shows that reads wait for nobody's sync. It reads pictures on an idle store, then beside one caller who uploads as fast
// as a slow disk lets it, and fails when the slowest tenth of the reads takes more than twice as long there.
//
// There are more users than the store remembers, so that some of the reads need a look at the metadata.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/program"
)

func main() {
	os.Exit(program.Main("reads", run))
}

// options is what one run measures.
type options struct {
	users   int
	readers int
	sync    time.Duration
	every   time.Duration
	slice   time.Duration
	limit   float64
	dir     string

	http     bool
	serve    string // what this process serves for another one
	bytes    int
	side     int
	resized  int
	pictures int
	rounds   int
	check    bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	fs := flag.NewFlagSet("reads", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.users, "users", 40_000, "users with a picture of 1 KB")
	fs.IntVar(&o.readers, "readers", 2, "callers who read")
	fs.DurationVar(&o.sync, "sync", 50*time.Millisecond, "how long a sync of the log takes at least")
	fs.DurationVar(&o.every, "every", time.Millisecond, "how often each of them reads")
	fs.DurationVar(&o.slice, "slice", 5*time.Second, "how long each half is measured")
	fs.Float64Var(&o.limit, "limit", 2, "times as long as on an idle store that the slowest tenth may take; 0 = any")
	fs.StringVar(&o.dir, "dir", "", "`DIR` for the data, 4 KB a user; a temporary one unless given")
	fs.BoolVar(&o.http, "http", false, "read over HTTP/1.1, in turns with a bare handler that writes the same bytes")
	fs.IntVar(&o.bytes, "bytes", 20_000, "size of each picture that is read over HTTP, about")
	fs.IntVar(&o.rounds, "rounds", 41, "rounds over HTTP; each measures everything once, in turns")
	fs.BoolVar(&o.check, "check", false, "fail when reads over HTTP are slower, beside the bare handler, than they may be")
	fs.StringVar(&o.serve, "serve", "", "for the program itself: serve this")
	fs.IntVar(&o.side, "side", 0, "for the program itself: size of the picture of the bare handler")
	fs.IntVar(&o.resized, "resized", 0, "for the program itself: server.Config.RenditionBytes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.pictures = httpReaders
	if o.serve != "" {
		return serveRole(ctx, o, stdout)
	}
	if fs.NArg() > 0 || o.users < 1 || o.readers < 1 || o.slice <= 0 || o.every <= 0 {
		return errors.New("want flags only, a user, a reader and some time")
	}
	dir, err := os.MkdirTemp(o.dir, "avatard-reads-")
	if err != nil {
		return err
	}
	work := measure
	if o.http {
		work = compare
	}
	return errors.Join(work(ctx, o, dir, stdout), os.RemoveAll(dir))
}

// slowLog is a log whose syncs take time once it is told to.
type slowLog struct {
	embedded.File
	delay *atomic.Int64
}

func (f slowLog) Sync() error {
	time.Sleep(time.Duration(f.delay.Load())) //nolint:forbidigo // how long the disk takes is what is measured
	return f.File.Sync()
}

const org = "reads"

func userKey(i int) storage.UserKey {
	return storage.UserKey{Issuer: "reads", ID: fmt.Sprint("user-", i)}
}

func put(ctx context.Context, s storage.Store, i int) error {
	_, err := s.Put(ctx, storage.Upload{User: userKey(i), Organization: org, By: storage.Origin{Caller: "reads"}, Register: true,
		Picture: storage.Picture{Format: storage.PNG, Data: make([]byte, 1000)}})
	return err
}

func measure(ctx context.Context, o options, dir string, stdout io.Writer) (err error) {
	var delay atomic.Int64
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir, WrapFile: func(name string, f embedded.File) embedded.File {
		if name == "avatard.db-wal" {
			return slowLog{f, &delay}
		}
		return f
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var next atomic.Int64
	if err := each(128, func(int) error {
		for i := next.Add(1) - 1; i < int64(o.users); i = next.Add(1) - 1 {
			if err := put(ctx, s, int(i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range o.users { // fills what can be remembered
		if _, err := s.Get(ctx, userKey(i), org); err != nil {
			return err
		}
	}
	idle, err := read(ctx, o, s)
	if err != nil {
		return err
	}
	delay.Store(int64(o.sync))
	uploading, stop := context.WithCancel(ctx)
	uploads, ended := 0, make(chan error, 1)
	go func() {
		for uploading.Err() == nil {
			if err := put(ctx, s, o.users); err != nil {
				ended <- err
				return
			}
			uploads++
		}
		ended <- nil
	}()
	beside, err := read(ctx, o, s)
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return err
	}
	delay.Store(0)
	fmt.Fprintf(stdout, "%d users, %d readers, syncs of %s: idle %s; beside %d uploads %s\n", o.users, o.readers, o.sync, idle, uploads, beside)
	ratio := float64(beside.p90) / float64(idle.p90)
	fmt.Fprintf(stdout, "the slowest tenth takes %.2f times as long\n", ratio)
	if o.limit > 0 && ratio > o.limit {
		return fmt.Errorf("the slowest tenth takes %.2f times as long, limit %.2f", ratio, o.limit)
	}
	return nil
}

// latencies are those of one half.
type latencies struct {
	reads              int
	p50, p90, p99, top time.Duration
}

func (l latencies) String() string {
	return fmt.Sprintf("%d reads, p50 %s, p90 %s, p99 %s, longest %s", l.reads, l.p50, l.p90, l.p99, l.top)
}

// read lets the readers read pictures of users drawn by lot, at times that are set beforehand. A reader that was kept waiting makes
// the missed reads at once, and each of them counts from the time at which it was due.
func read(ctx context.Context, o options, s storage.Store) (latencies, error) {
	took := make([][]time.Duration, o.readers)
	began := time.Now()
	err := each(o.readers, func(reader int) error {
		random := rand.New(rand.NewPCG(uint64(reader), 1)) //nolint:gosec // which user is read
		for due := began; due.Before(began.Add(o.slice)); due = due.Add(o.every) {
			time.Sleep(time.Until(due)) //nolint:forbidigo // readers come at set times
			begin := time.Now()
			if begin.Sub(due) > o.every { // else it was only the timer
				begin = due
			}
			if _, err := s.Get(ctx, userKey(random.IntN(o.users)), org); err != nil {
				return err
			}
			took[reader] = append(took[reader], time.Since(begin))
		}
		return nil
	})
	all := slices.Concat(took...)
	if err != nil || len(all) == 0 {
		return latencies{}, errors.Join(err, ctx.Err())
	}
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[max(0, len(all)*percent/100-1)] }
	return latencies{len(all), at(50), at(90), at(99), at(100)}, nil
}

// each runs work of so many workers at once.
func each(workers int, work func(worker int) error) error {
	errs := make([]error, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { errs[i] = work(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}
