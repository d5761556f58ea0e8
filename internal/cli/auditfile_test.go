//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// stoppedReader is an output that takes nothing until it is closed.
type stoppedReader struct {
	goOn  chan struct{}
	mu    sync.Mutex
	taken bytes.Buffer
}

func (r *stoppedReader) Write(p []byte) (int, error) {
	<-r.goOn
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken.Write(p)
}

// wantReady checks what readiness says of a stream, "" for nothing.
func wantReady(t *testing.T, f *auditFile, when, want string) {
	t.Helper()
	got := ""
	if err := f.ready(context.Background()); err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s: readiness says %q, want %q", when, got, want)
	}
}

// openStopped opens a stream whose reader has stopped, with its first line being written, and returns the log, too.
func openStopped(t *testing.T) (*auditFile, *stoppedReader, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	reader := &stoppedReader{goOn: make(chan struct{})}
	f, err := openAuditFile("-", reader, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "first")
	synctest.Wait()
	return f, reader, log
}

// The reader of the stream may stop: readiness, metrics, SIGHUP and the end of the process do not wait for it, and say so.
func TestAuditFileWhoseReaderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, reader, log := openStopped(t)
		wantReady(t, f, "at once", "")
		f.reopen()
		time.Sleep(stalledAfter)
		synctest.Wait()
		wantReady(t, f, "later", errStalled.Error())
		if said := log.String(); strings.Count(said, "does not take lines") != 1 {
			t.Errorf("the log says %s", said)
		}
		for range 3 << 10 {
			fmt.Fprintln(f, strings.Repeat("x", 1023))
		}
		dropped := f.dropped()
		if dropped < 2<<10 {
			t.Errorf("%d lines were dropped, want %d at least", dropped, 2<<10)
		}
		began := time.Now()
		f.close()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the end waited for %v", took)
		}
		if want := fmt.Sprintf("lost=%d", 3<<10+1); !strings.Contains(log.String(), want) {
			t.Errorf("the log says\n%s\nwant %s", log.String(), want)
		}
		close(reader.goOn)
	})
}

// A stream that goes on is ready again; the lines that were lost in between are told.
func TestAuditFileWhoseReaderGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, reader, log := openStopped(t)
		for range 3 << 10 {
			fmt.Fprintln(f, strings.Repeat("x", 1023))
		}
		wantReady(t, f, "lines are dropped", errBehind.Error())
		dropped := f.dropped()
		close(reader.goOn)
		synctest.Wait()
		wantReady(t, f, "lines are taken", "")
		f.close()
		for _, want := range []string{"does not take lines", fmt.Sprintf(`takes lines again" lost=%d`, dropped)} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("the log says\n%s\nwant %s once", log.String(), want)
			}
		}
	})
}

// A pipe whose reader has stopped can be replaced by a file with SIGHUP. No line is lost, and none is torn there.
func TestAuditFileInPlaceOfAPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	if f, err := openAuditFile(path, nil, quiet); err == nil || !strings.Contains(err.Error(), "nobody reads the pipe") {
		t.Fatalf("a pipe without a reader = %v, %v, want an error", f, err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f, err := openAuditFile(path, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	const lines = 8 << 10 // of 64 bytes, which is more than a pipe holds
	for i := range lines {
		fmt.Fprintf(f, "%063d\n", i)
	}
	f.reopen() // the same pipe
	wantReady(t, f, "a pipe that is full", "")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	f.close()
	seen := make([]bool, lines)
	after := countLines(t, seen, string(readAll(t, path)))
	if err := reader.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var before strings.Builder
	if _, err := bufio.NewReader(reader).WriteTo(&before); err != nil {
		t.Fatal(err)
	}
	whole := before.String()
	countLines(t, seen, whole[:strings.LastIndexByte(whole, '\n')+1])
	if after == 0 || slices.Contains(seen, false) || f.dropped() != 0 {
		t.Errorf("%d lines are in the file, %d were lost, and some line is missing: %v", after, f.dropped(), slices.Contains(seen, false))
	}
}

func readAll(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// countLines marks the numbers that a text has, one a line.
func countLines(t *testing.T, seen []bool, text string) (n int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var i int
		if _, err := fmt.Sscanf(line, "%d\n", &i); err != nil || len(line) != 64 {
			t.Fatalf("line %q", line)
		}
		seen[i] = true
		n++
	}
	return n
}
