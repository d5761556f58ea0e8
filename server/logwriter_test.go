package server

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// gate is an output each of whose writes waits until the test lets it pass.
type gate struct {
	open chan struct{}

	mu     sync.Mutex
	writes []string
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes = append(g.writes, string(p))
	return len(p), nil
}

// Lines that come while one is being written share the next write, in their order, and none is lost.
func TestLogWriterGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := NewLogWriter(g)
		line := []byte("1\n")
		fmt.Fprintf(w, "%s", line)
		synctest.Wait() // it is in the gate
		copy(line, "x")
		for i := 2; i <= 5; i++ {
			fmt.Fprintf(w, "%d\n", i)
		}
		close(g.open)
		if left := w.Close(); left != 0 {
			t.Errorf("%d lines are not written", left)
		}
		fmt.Fprint(w, "late\n")
		if want := []string{"1\n", "2\n3\n4\n5\n", "late\n"}; !slices.Equal(g.writes, want) {
			t.Errorf("writes %q, want %q", g.writes, want)
		}
	})
}

// An output that takes nothing costs bounded memory and delays no call. Once it takes lines again the log says how many are missing.
func TestLogWriterDropsWhatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := NewLogWriter(g)
		w.Tell(slog.New(slog.NewTextHandler(w, nil)))
		line := []byte(strings.Repeat("x", 1023) + "\n")
		var writers sync.WaitGroup
		const each = 1 << 10
		for range 4 {
			writers.Go(func() {
				for range each {
					_, _ = w.Write(line)
				}
			})
		}
		writers.Wait() // in a bubble it would be a deadlock if one of them waited for the output
		w.mu.Lock()
		if n := len(w.pending); n > maxLogBytes {
			t.Errorf("%d bytes wait, want at most %d", n, maxLogBytes)
		}
		w.mu.Unlock()
		dropped := w.Dropped()
		close(g.open)
		synctest.Wait()
		w.Close()
		said := strings.Join(g.writes, "")
		kept := strings.Count(said, string(line))
		if kept+int(dropped) != 4*each || kept < maxLogBytes/len(line) {
			t.Errorf("%d lines were written and %d dropped, want %d in all", kept, dropped, 4*each)
		}
		if want := fmt.Sprintf("lines=%d\n", dropped); strings.Count(said, "were dropped") != 1 || !strings.HasSuffix(said, want) {
			t.Errorf("the log ends with %q, want one line with %s", said[len(said)-min(len(said), 200):], want)
		}
	})
}

// A process whose log takes nothing can end.
func TestLogWriterCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := NewLogWriter(g)
		fmt.Fprint(w, "1\n")
		synctest.Wait()
		fmt.Fprint(w, "2\n")
		if left := w.Close(); left != 2 {
			t.Errorf("%d lines are not written, want 2", left)
		}
		fmt.Fprint(w, "3\n")
		close(g.open)
		synctest.Wait()
		if said := strings.Join(g.writes, ""); said != "1\n2\n3\n" {
			t.Errorf("the log is %q", said)
		}
	})
}
