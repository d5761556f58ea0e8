package server

import (
	"io"
	"runtime"
	"sync"
)

// maxLogBytes bounds the lines that wait for a LogWriter's output, in bytes.
const maxLogBytes = 1 << 20

// LogWriter hands the lines of a log on from a goroutine of its own, all that have come together in one write. A handler of
// log/slog holds its lock while it writes, so callers would wait for each other's system calls.
//
// A line is on its way microseconds after Write returned; a process that is killed before loses it. When the output cannot
// keep up, Write waits.
type LogWriter struct {
	out   io.Writer
	ended chan struct{}

	mu      sync.Mutex
	changed sync.Cond // pending or closed
	pending []byte
	closed  bool
}

// NewLogWriter returns a LogWriter, which somebody has to close, in front of out.
func NewLogWriter(out io.Writer) *LogWriter {
	w := &LogWriter{out: out, ended: make(chan struct{})}
	w.changed.L = &w.mu
	go w.run()
	return w
}

// Write takes lines, which it does not keep. It never fails: nobody could be told.
func (w *LogWriter) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) >= maxLogBytes && !w.closed {
		w.changed.Wait()
	}
	if w.closed {
		_, _ = w.out.Write(lines)
		return len(lines), nil
	}
	if len(w.pending) == 0 {
		w.changed.Broadcast()
	}
	w.pending = append(w.pending, lines...)
	return len(lines), nil
}

// Close waits until all lines are written. Those that come later are written at once.
func (w *LogWriter) Close() {
	w.mu.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.mu.Unlock()
	<-w.ended
}

func (w *LogWriter) run() {
	defer close(w.ended)
	w.mu.Lock()
	defer w.mu.Unlock()
	var written []byte
	for {
		for len(w.pending) == 0 {
			if w.closed {
				return
			}
			w.changed.Wait()
		}
		// Who is about to write a line does so first: a write of the output costs more than a line does.
		for before := 0; len(w.pending) > before && len(w.pending) < maxLogBytes; {
			before = len(w.pending)
			w.mu.Unlock()
			runtime.Gosched()
			w.mu.Lock()
		}
		w.pending, written = written[:0], w.pending
		w.changed.Broadcast()
		w.mu.Unlock()
		_, _ = w.out.Write(written)
		w.mu.Lock()
	}
}
