package server

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// gate is an output that lets a write pass only when it is told to.
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
		w.Close()
		fmt.Fprint(w, "late\n")
		if want := []string{"1\n", "2\n3\n4\n5\n", "late\n"}; !slices.Equal(g.writes, want) {
			t.Errorf("writes %q, want %q", g.writes, want)
		}
	})
}

// An output that hangs costs bounded memory: whoever writes more waits, and goes on when it takes lines again.
func TestLogWriterBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := NewLogWriter(g)
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
		synctest.Wait()
		w.mu.Lock()
		if n := len(w.pending); n < maxLogBytes || n > maxLogBytes+len(line) {
			t.Errorf("%d bytes wait, want about %d", n, maxLogBytes)
		}
		w.mu.Unlock()
		close(g.open)
		writers.Wait()
		w.Close()
		total := 0
		for _, written := range g.writes {
			total += bytes.Count([]byte(written), []byte("\n"))
		}
		if total != 4*each {
			t.Errorf("%d lines, want %d", total, 4*each)
		}
	})
}
