package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Between two reports.
const (
	progressOnTerminal = 200 * time.Millisecond
	progressInLog      = 3 * time.Second
)

// progress shows how far a long piece of work has come: on a terminal as a bar, elsewhere as a line every few seconds. Work that ends
// before the first report shows its last state only. The zero value shows nothing.
type progress struct {
	what  string
	total atomic.Int64
	w     io.Writer
	done  atomic.Int64
	start time.Time
	stop  chan struct{}
	ended chan struct{}

	mu  sync.Mutex               // held while the bar is drawn or cleared
	bar *progressbar.ProgressBar // nil where lines are written
}

func startProgress(w io.Writer, what string, total int) *progress {
	p := &progress{what: what, w: w, start: time.Now(), stop: make(chan struct{}), ended: make(chan struct{})}
	p.total.Store(int64(total))
	every := progressInLog
	if isTerminal(w) {
		p.bar, every = newBar(w, what), progressOnTerminal
	}
	go p.report(every)
	return p
}

// newBar returns a bar that counts the time from now on, and is drawn when its count is set.
func newBar(w io.Writer, what string) *progressbar.ProgressBar {
	bar := progressbar.NewOptions64(0, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionShowElapsedTimeOnFinish(), progressbar.OptionUseANSICodes(true),
		progressbar.OptionFullWidth())
	bar.StartWithoutRender()
	return bar
}

// add counts work that is done.
func (p *progress) add(n int64) { p.done.Add(n) }

// set tells how much is done, and of how much; 0 where that is not known.
func (p *progress) set(done, total int64) {
	p.done.Store(done)
	p.total.Store(total)
}

// finish shows the last state and returns when it is written.
func (p *progress) finish() {
	close(p.stop)
	<-p.ended
	p.show()
	if p.bar != nil {
		fmt.Fprintln(p.w)
	}
}

// aside writes something else to a terminal that may show the bar, which is drawn again below it. p may be nil.
func (p *progress) aside(write func() error) error {
	if p == nil || p.bar == nil {
		return write()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Clear() // a terminal that cannot be written to does not fail the work
	return write()
}

func (p *progress) report(every time.Duration) {
	defer close(p.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.show()
		}
	}
}

func (p *progress) show() {
	done, total, took := p.done.Load(), p.total.Load(), time.Since(p.start)
	unknown := total <= 0 && done > 0
	switch {
	case p.bar == nil && unknown:
		fmt.Fprintf(p.w, "%s: %d, %s\n", p.what, done, took.Round(100*time.Millisecond))
		return
	case p.bar == nil:
		fmt.Fprintf(p.w, "%s: %d of %d (%d %%), %s\n", p.what, done, total, 100*done/max(total, 1), took.Round(100*time.Millisecond))
		return
	case unknown:
		total = -1 // for the bar
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar.GetMax64() != total {
		p.bar.ChangeMax64(total)
	}
	_ = p.bar.Set64(done) // fails while the total is 0: then there is nothing to draw
}

// isTerminal reports whether something that is read or written is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	conn, err := f.SyscallConn() // f.Fd could make reads block for good
	if err != nil {
		return false
	}
	is := false
	err = conn.Control(func(fd uintptr) { is = term.IsTerminal(int(fd)) })
	return is && err == nil
}
