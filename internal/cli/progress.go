package cli

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Between two reports.
const (
	progressOnTerminal = 200 * time.Millisecond
	progressInLog      = 3 * time.Second
)

// progress shows how far a long piece of work has come: on a terminal one line that changes, elsewhere a line
// every few seconds. Work that ends before the first report shows its last line only.
type progress struct {
	what  string
	total atomic.Int64
	w     io.Writer
	done  atomic.Int64
	start time.Time
	stop  chan struct{}
	ended chan struct{}
	live  bool
}

func startProgress(w io.Writer, what string, total int) *progress {
	p := &progress{what: what, w: w, start: time.Now(),
		stop: make(chan struct{}), ended: make(chan struct{}), live: isTerminal(w)}
	p.total.Store(int64(total))
	go p.report()
	return p
}

// add counts work that is done.
func (p *progress) add(n int64) { p.done.Add(n) }

// set tells how much is done, and of how much.
func (p *progress) set(done, total int64) {
	p.done.Store(done)
	p.total.Store(total)
}

// finish writes the last line and returns when it is written.
func (p *progress) finish() {
	close(p.stop)
	<-p.ended
	p.line()
	if p.live {
		fmt.Fprintln(p.w)
	}
}

func (p *progress) report() {
	defer close(p.ended)
	every := progressInLog
	if p.live {
		every = progressOnTerminal
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.line()
		}
	}
}

func (p *progress) line() {
	done, total, took := p.done.Load(), p.total.Load(), time.Since(p.start)
	text := fmt.Sprintf("%s: %d of %d (%d %%), %s", p.what, done, total, 100*done/max(total, 1), took.Round(100*time.Millisecond))
	if p.live {
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	} else {
		fmt.Fprintln(p.w, text)
	}
}

// isTerminal reports whether something that is read or written is a terminal: a character device, but not the null device.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
