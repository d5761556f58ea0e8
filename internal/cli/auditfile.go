package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/auditstream"
)

// auditFile is where the lines of the audit stream go: a file that is opened again on demand, a pipe, or standard output. What it does not
// take is counted, and shows in log, metrics and readiness until it takes lines again. Nothing waits for it, nor for who reads the pipe: the
// lock is not held while lines are written.
type auditFile struct {
	path   string // "-" = standard output
	logger *slog.Logger
	lines  *server.LogWriter

	mu      sync.Mutex
	out     io.WriteCloser
	failed  error // of the newest write; nil = it went well
	lost    uint64
	writing *time.Timer // fires when a write takes too long; nil = none is under way
	before  uint64      // lines that were dropped when it began
}

// stalledAfter is how long one write may take until the stream counts as one that takes nothing.
const stalledAfter = 5 * time.Second

var (
	errStalled = fmt.Errorf("a write has not ended for %v", stalledAfter)
	errBehind  = errors.New("lines come faster than they are taken")
)

// openAuditFile opens the file, for appending. The caller must close what it returns.
func openAuditFile(path string, stdout io.Writer, logger *slog.Logger) (*auditFile, error) {
	f := &auditFile{path: path, logger: logger, out: keptOpen{stdout}}
	if path != "-" {
		out, err := appendTo(path)
		if err != nil {
			return nil, fmt.Errorf("audit.stream: %w", err)
		}
		f.out = out
	}
	f.lines = server.NewLogWriter(writerFunc(f.writeLines))
	return f, nil
}

// appendTo opens a file that is its owner's alone, since it says who has done what. A pipe that nobody reads is an error: without O_NONBLOCK
// opening it would wait for a reader.
func appendTo(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ENXIO) {
		err = fmt.Errorf("nobody reads the pipe: %w", err)
	}
	return f, err
}

// Write takes a line and does not wait.
func (f *auditFile) Write(line []byte) (int, error) { return f.lines.Write(line) }

// writeLines is called by one goroutine at a time.
func (f *auditFile) writeLines(lines []byte) (n int, err error) {
	out := f.begin()
	for done := 0; ; {
		n, err = out.Write(lines[done:])
		done += n
		next := f.current()
		if next == out || !errors.Is(err, os.ErrClosed) {
			f.end(lines[done:], err)
			return done, err
		}
		// It was opened again meanwhile. The line of which the old one has a part is written anew.
		out, done = next, bytes.LastIndexByte(lines[:done], '\n')+1
	}
}

// begin notes that a write begins, and returns what to write to.
func (f *auditFile) begin() io.Writer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = f.lines.Dropped()
	var timer *time.Timer
	timer = time.AfterFunc(stalledAfter, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.writing == timer {
			f.fail(errStalled)
		}
	})
	f.writing = timer
	return f.out
}

func (f *auditFile) current() io.Writer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out
}

// end notes how a write went, of which lines are left.
func (f *auditFile) end(left []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing.Stop()
	f.writing = nil
	if err != nil {
		f.lost += uint64(bytes.Count(left, []byte{'\n'}))
		f.fail(err)
		return
	}
	if f.lines.Dropped() > f.before {
		f.fail(errBehind)
	}
	if f.failed != nil {
		f.logger.Info("the audit stream takes lines again", "lost", f.lost+f.lines.Dropped())
	}
	f.failed = nil
}

// fail notes an error, and logs the first one. The caller holds mu.
func (f *auditFile) fail(err error) {
	if f.failed == nil {
		f.logger.Error("the audit stream does not take lines; the audit trail in the store has them", "error", err)
	}
	f.failed = err
}

// reopen begins a new file where the old one was moved away. Standard output stays, and so does a pipe.
func (f *auditFile) reopen() {
	if f.path == "-" {
		return
	}
	out, err := appendTo(f.path)
	if err != nil {
		f.logger.Error("the audit stream could not be opened again; it goes on in the file that was there", "error", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if isOpen(f.out, out) { // lines that are being written stay whole
		_ = out.Close()
	} else {
		_ = f.out.Close()
		f.out = out
	}
	f.logger.Info("audit stream opened again")
}

// isOpen reports whether two are the same file.
func isOpen(a io.Writer, b *os.File) bool {
	old, isFile := a.(*os.File)
	if !isFile {
		return false
	}
	was, err := old.Stat()
	is, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(was, is)
}

// ready is an error while lines are lost.
func (f *auditFile) ready(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil && f.writing != nil && f.lines.Dropped() > f.before {
		return errBehind
	}
	return f.failed
}

// dropped returns how many lines were lost so far.
func (f *auditFile) dropped() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost + f.lines.Dropped()
}

// close waits for the last lines as long as [server.LogWriter.Close] does, and says how many were lost in all.
func (f *auditFile) close() {
	left := uint64(f.lines.Close())
	if lost := f.dropped() + left; lost > 0 {
		f.logger.Error("the audit stream has lost lines; the audit trail in the store has them", "lost", lost, "unwritten", left)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.out.Close()
}

// writerFunc is a function as an [io.Writer].
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// keptOpen is a writer that somebody else closes.
type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }

// checks are what readiness says of the stream; a stream that is off has none.
func (f *auditFile) checks() []server.Check {
	if f == nil {
		return nil
	}
	return []server.Check{{Name: "audit stream", Ready: f.ready, Advisory: true}}
}

// startAuditStream opens the configured stream, nil = none, and returns the store that writes to it.
func (p *serving) startAuditStream(store storage.Engine) (*auditFile, storage.Engine, error) {
	if p.cfg.AuditStream == "" {
		return nil, store, nil
	}
	stream, err := openAuditFile(p.cfg.AuditStream, p.Stdout, p.logger)
	if err != nil {
		return nil, store, err
	}
	now := p.Now
	if now == nil {
		now = time.Now
	}
	p.reloaders = append(p.reloaders, reloader{"audit stream", stream.reopen})
	p.watch.auditStream(stream.dropped)
	return stream, auditstream.Wrap(store, stream, now), nil
}
