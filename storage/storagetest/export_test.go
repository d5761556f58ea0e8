package storagetest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// RunCheck runs one check of the suite and returns what it complained of.
func RunCheck(t *testing.T, name string, h Harness) []string {
	t.Helper()
	for _, c := range checks() {
		if c.name == name {
			w := &witness{t: t}
			done := make(chan struct{})
			go func() { // Fatalf ends the goroutine
				defer close(done)
				defer w.cleanUp()
				c.run(w, h)
			}()
			<-done
			return w.faults
		}
	}
	t.Fatalf("no check is called %q", name)
	return nil
}

// witness is a TB whose failures are not those of the test.
type witness struct {
	t        *testing.T
	mu       sync.Mutex
	faults   []string
	cleanups []func()
}

func (w *witness) Helper()                  {}
func (w *witness) Context() context.Context { return context.Background() }
func (w *witness) TempDir() string          { return w.t.TempDir() }
func (w *witness) Cleanup(f func())         { w.cleanups = append(w.cleanups, f) }

func (w *witness) Errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

func (w *witness) cleanUp() {
	for _, f := range w.cleanups {
		f()
	}
}
