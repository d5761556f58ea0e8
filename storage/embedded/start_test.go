package embedded_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/bench/large"
)

// reads counts what is read from files.
type reads struct {
	embedded.File
	bytes *atomic.Int64
}

func (r reads) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.File.ReadAt(p, off)
	r.bytes.Add(int64(n))
	return n, err
}

// The reads of a start and of the first change after it do not depend on how many users there are: with two hundred times as many, it is a
// page or two more of each index on the way down, and the rows of regions. Unfinished changes are finished all the same.
func TestStartReadsWhatIsUnfinished(t *testing.T) {
	read := map[string][2]int64{}
	for i, users := range []int{300, 60_000} {
		dir := filepath.Join(t.TempDir(), "data")
		if err := large.Fill(t.Context(), dir, users); err != nil {
			t.Fatal(err)
		}
		var bytes atomic.Int64
		note := func(what string) {
			n := read[what]
			n[i] = bytes.Swap(0)
			read[what] = n
		}
		s, err := embedded.Open(t.Context(), embedded.Config{Dir: dir, WrapFile: func(_ string, f embedded.File) embedded.File { return reads{f, &bytes} }})
		if err != nil {
			t.Fatal(err)
		}
		note("start")
		if st := s.Stats(); st.Erased != 2 || st.Pending != 0 || st.Stuck != 0 {
			t.Errorf("%d users: %d erased, %d pending after the start, want 2 and 0", users, st.Erased, st.Pending)
		}
		up := storage.Upload{User: large.User(users + 1), Organization: large.Organization, Register: true,
			Picture: storage.Picture{Format: storage.PNG, Data: make([]byte, 3000)}}
		if _, err := s.Put(t.Context(), up); err != nil {
			t.Error(err)
		}
		note("first upload")
		if _, err := s.Remove(t.Context(), storage.Removal{User: large.User(17), Organization: large.Organization}); err != nil {
			t.Error(err)
		}
		note("first delete")
		if err := s.Tidy(t.Context()); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.SlabFreeBytes < int64(users/17)*4096 {
			t.Errorf("%d users: %d bytes are known to be free once nobody calls", users, st.SlabFreeBytes)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	const page = 4096
	for what, n := range read {
		t.Logf("%s: %d pages read with 300 users, %d with 60,000", what, n[0]/page, n[1]/page)
		if more := (n[1] - n[0]) / page; n[0] == 0 && what == "start" || more > 24 {
			t.Errorf("%s: %d pages more with 60,000 users, want 24 at most", what, more)
		}
	}
}
