package server

import (
	"bytes"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxLogBytes bounds the lines that wait for a LogWriter's output, in bytes.
	maxLogBytes = 1 << 20
	// maxLogClosing is how long Close waits for an output that takes nothing.
	maxLogClosing = 2 * time.Second
)

// LogWriter writes the lines of a log from a goroutine of its own, with one write for all lines that have gathered. A handler of
// log/slog holds its lock while it writes, so callers would wait for each other's system calls.
//
// A line is on its way microseconds after Write returned; a process that is killed before loses it. Lines that come while the
// output is behind by maxLogBytes are dropped and counted: an output that takes nothing must not stop calls.
type LogWriter struct {
	out     io.Writer
	ended   chan struct{}
	dropped atomic.Uint64

	mu      sync.Mutex
	changed sync.Cond // pending or closed
	pending []byte
	writing []byte // what the output is given at the moment
	closed  bool
	over    bool         // run has ended
	logger  *slog.Logger // nil = dropped lines are not reported
	untold  uint64       // of dropped
}

// NewLogWriter returns a LogWriter, which must be closed, in front of out.
func NewLogWriter(out io.Writer) *LogWriter {
	w := &LogWriter{out: out, ended: make(chan struct{})}
	w.changed.L = &w.mu
	go w.run()
	return w
}

// Tell makes w report through logger, which writes to w, how many lines were dropped, once the output takes lines again.
func (w *LogWriter) Tell(logger *slog.Logger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logger = logger
}

// Dropped returns how many lines were dropped so far.
func (w *LogWriter) Dropped() uint64 { return w.dropped.Load() }

// Write copies one line or more, or drops them. It never waits, and never fails, since a caller could not log that.
func (w *LogWriter) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		_, _ = w.out.Write(lines)
		return len(lines), nil
	}
	if len(w.pending) > 0 && len(w.pending)+len(lines) > maxLogBytes {
		w.dropped.Add(1)
		w.untold++
		return len(lines), nil
	}
	if len(w.pending) == 0 {
		w.changed.Broadcast()
	}
	w.pending = append(w.pending, lines...)
	return len(lines), nil
}

// Close waits until all lines are written, at most for maxLogClosing, and returns how many are not. Those that come later are written
// at once, unless the output still takes nothing.
func (w *LogWriter) Close() (left int) {
	w.mu.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.mu.Unlock()
	select {
	case <-w.ended:
	case <-time.After(maxLogClosing):
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Count(w.writing, newline) + bytes.Count(w.pending, newline)
}

var newline = []byte{'\n'}

func (w *LogWriter) run() {
	defer close(w.ended)
	w.mu.Lock()
	defer w.mu.Unlock()
	var spare []byte
	for {
		for len(w.pending) == 0 {
			if w.closed {
				w.over = true
				return
			}
			w.changed.Wait()
		}
		// Yield once, so that goroutines about to log add their lines to this write: it costs more than a line does.
		for before := 0; len(w.pending) > before && len(w.pending) < maxLogBytes/2; {
			before = len(w.pending)
			w.mu.Unlock()
			runtime.Gosched()
			w.mu.Lock()
		}
		w.pending, w.writing = spare[:0], w.pending
		w.mu.Unlock()
		_, _ = w.out.Write(w.writing) // which only this goroutine changes
		w.mu.Lock()
		spare, w.writing = w.writing, nil
		w.tell()
	}
}

// tell reports dropped lines, behind the lines that were kept. The caller holds mu, which is free meanwhile.
func (w *LogWriter) tell() {
	if w.untold == 0 || w.logger == nil || len(w.pending) > maxLogBytes/2 {
		return
	}
	logger, lines := w.logger, w.untold
	w.untold = 0
	w.mu.Unlock()
	logger.Warn("log lines were dropped: the output of the log did not take them", "lines", lines)
	w.mu.Lock()
}
