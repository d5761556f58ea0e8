package embedded

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

const testOrg = "69629023906488334"

var testBy = storage.Origin{Caller: "tester", RequestID: "test"}

func openTest(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkRemembered(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func upload(i, size int) storage.Upload {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(uint64(i), uint64(size)))
	for j := range data {
		data[j] = byte(r.Uint32())
	}
	return storage.Upload{User: testKey(i), Organization: testOrg, By: testBy, Register: true,
		Picture: storage.Picture{Format: storage.JPEG, Data: data}}
}

func testKey(i int) storage.UserKey {
	return storage.UserKey{Issuer: "test", ID: fmt.Sprint("user-", i)}
}

// BenchmarkRemove measures deletes of pictures of about 4 KB, by 1, 16 and 128 callers.
func BenchmarkRemove(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := openTest(b, b.TempDir())
			each(128, b.N, func(i int) { mustPut(b, s, i, 4000) })
			b.ReportAllocs()
			b.ResetTimer()
			each(callers, b.N, func(i int) { mustRemove(b, s, i) })
			b.StopTimer()
		})
	}
}

// each calls f for 0 to n-1, from so many goroutines.
func each(callers, n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

func mustPut(t testing.TB, s *Store, i, size int) {
	t.Helper()
	if _, err := s.Put(context.Background(), upload(i, size)); err != nil {
		t.Errorf("Put: %v", err)
	}
}

func mustRemove(t testing.TB, s *Store, i int) {
	t.Helper()
	if _, err := s.Remove(context.Background(), removal(i)); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

// checkEmptySlab demands that the slab of a closed store holds zeros only, behind its first page.
func checkEmptySlab(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, slabName))
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(data[slab.PageBytes:], func(r rune) bool { return r != 0 }); i >= 0 {
		t.Errorf("the slab is not empty: byte %d", i+slab.PageBytes)
	}
}
