package embedded

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
)

// Sixteen callers that delete the same picture at once get the same answer, and leave one receipt.
func TestRemoveAtOnce(t *testing.T) {
	s := openTest(t, t.TempDir())
	ctx := context.Background()
	if _, err := s.Put(ctx, upload(1, 4000)); err != nil {
		t.Fatal(err)
	}
	results := make([]storage.Result, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			var err error
			if results[i], err = s.Remove(ctx, removal(1)); err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
	}
	wg.Wait()
	for i, res := range results {
		if diff := cmp.Diff(results[0], res); diff != "" {
			t.Errorf("caller %d was told something else (-first +this):\n%s", i, diff)
		}
	}
	if results[0].Details.Sequence != 3 || results[0].Receipt == "" {
		t.Errorf("Remove = %+v, want sequence 3 and a receipt", results[0])
	}
	if n := count(t, s, `SELECT count(*) FROM receipt`); n != 1 {
		t.Errorf("%d receipt rows, want 1", n)
	}
}

// What an answered call leaves in the directory is not open to a second process, nor to a second Open.
func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir)
	if _, err := Open(context.Background(), Config{Dir: dir}); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("second Open = %v, want %v", err, storage.ErrInUse)
	}
}

func removal(i int) storage.Removal {
	return storage.Removal{User: testKey(i), Organization: testOrg, By: testBy}
}

// count runs a query for one number beside the store's own.
func count(t testing.TB, s *Store, sql string) int64 {
	t.Helper()
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	n, err := s.db.number(sql)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
