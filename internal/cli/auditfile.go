package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/auditstream"
)

// auditFile is where the lines of the audit stream go: a file that is opened again on demand, or standard output. What it does not take is
// counted, and shows in log, metrics and readiness until it takes lines again; calls do not wait for it.
type auditFile struct {
	path   string // "-" = standard output
	logger *slog.Logger
	lines  *server.LogWriter

	mu     sync.Mutex
	out    io.WriteCloser
	failed error // of the newest write; nil = it went well
	lost   uint64
}

// openAuditFile opens the file, for appending. The caller must close what it returns.
func openAuditFile(path string, stdout io.Writer, logger *slog.Logger) (*auditFile, error) {
	f := &auditFile{path: path, logger: logger, out: keptOpen{stdout}}
	if path != "-" {
		var err error
		if f.out, err = appendTo(path); err != nil {
			return nil, fmt.Errorf("audit.stream: %w", err)
		}
	}
	f.lines = server.NewLogWriter(writerFunc(f.writeLines))
	return f, nil
}

// appendTo opens a file that is its owner's alone, since it says who has done what.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// Write takes a line and does not wait.
func (f *auditFile) Write(line []byte) (int, error) { return f.lines.Write(line) }

func (f *auditFile) writeLines(lines []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.out.Write(lines)
	if err != nil {
		f.lost += uint64(bytes.Count(lines[n:], []byte{'\n'}))
		if f.failed == nil {
			f.logger.Error("the audit stream does not take lines; the audit trail in the store has them", "error", err)
		}
	} else if f.failed != nil {
		f.logger.Info("the audit stream takes lines again", "lost", f.lost)
	}
	f.failed = err
	return n, err
}

// reopen begins a new file where the old one was moved away. Standard output stays.
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
	_ = f.out.Close()
	f.out = out
	f.logger.Info("audit stream opened again")
}

// ready is an error while lines are lost.
func (f *auditFile) ready(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// dropped returns how many lines were lost so far.
func (f *auditFile) dropped() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost + f.lines.Dropped()
}

func (f *auditFile) close() {
	f.lines.Close()
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
