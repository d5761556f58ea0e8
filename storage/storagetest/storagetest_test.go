package storagetest_test

import (
	"context"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/storage/storagetest/memory"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, harness(memory.New("")))
}

// harness runs the suite on the engine in memory.
func harness(m *memory.Memory) storagetest.Harness {
	return m.Hooks(storagetest.Harness{Open: func(ctx context.Context, name string, now func() time.Time) (storage.Store, error) {
		return m.Open(ctx, name, now)
	}})
}

// TestFlaws shows that the suite notices flaws: each store with one must fail the check that is there for it.
func TestFlaws(t *testing.T) {
	for _, tt := range flaws {
		t.Run(string(tt.flaw)+"/"+tt.check, func(t *testing.T) {
			t.Parallel()
			if faults := storagetest.RunCheck(t, tt.check, harness(memory.New(tt.flaw))); len(faults) == 0 {
				t.Errorf("a store that %s passes %s", tt.flaw, tt.check)
			}
		})
	}
}
