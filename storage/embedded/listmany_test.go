package embedded_test

import (
	"flag"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/bench/large"
	"example.org/avatard/test/bench/usage"
)

// fewListed are the users of every run, in which memory alone is compared: time says nothing there.
const fewListed = 6000

var listed = flag.Int("listed", fewListed, "users whom TestListsAmongMany lists; with more than usual it compares time as well, and what is resident")

const (
	// tries is how often a page is asked for again.
	tries = 10
	// residentGrowth is what lists of everybody may add to what is resident behind the first pages, in bytes: the database's cache fills.
	residentGrowth = 24 << 20
)

// pageCost is what a page took.
type pageCost struct {
	took      time.Duration
	allocated uint64 // bytes
}

func (c pageCost) least(d pageCost) pageCost {
	return pageCost{min(c.took, d.took), min(c.allocated, d.allocated)}
}

// over reports whether a page takes more than twice as much as the first one. Of a few users time says nothing.
func (c pageCost) over(first pageCost) bool {
	return c.allocated > 2*first.allocated || *listed > fewListed && c.took > 2*first.took
}

// longList is a list that is read from the beginning to the end.
type longList struct {
	name string
	// page returns how many there are on the page behind after, and the next after; "" at the end.
	page func(after string) (n int, next string, err error)
	want int
}

// Every page of a list costs what the first one does, however far behind it is: twice as much memory and time at most, and nothing is kept.
func TestListsAmongMany(t *testing.T) {
	dir := t.TempDir()
	if err := large.Fill(t.Context(), dir, *listed); err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Tidy(t.Context()); err != nil { // which lists nothing, and would be counted
		t.Fatal(err)
	}
	users := func(q storage.UserQuery) func(string) (int, string, error) {
		return func(after string) (int, string, error) {
			if q.After = (storage.UserKey{}); after != "" {
				q.After = storage.UserKey{Issuer: large.User(0).Issuer, ID: after}
			}
			page, err := s.ListUsers(t.Context(), q)
			return len(page.Users), page.Next.ID, err
		}
	}
	without := *listed/16 + 1 // and the one of the upload that a kill has left
	for _, list := range []longList{
		{"users", users(storage.UserQuery{}), *listed + 1},
		{"users of the organisation", users(storage.UserQuery{Organization: large.Organization}), *listed + 1},
		{"users with a picture", users(storage.UserQuery{Organization: large.Organization, Picture: storage.WithPicture}), *listed - without},
		{"users without a picture", users(storage.UserQuery{Picture: storage.WithoutPicture}), without + 1},
		{"receipts", func(after string) (int, string, error) {
			page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{After: after})
			return len(page.Receipts), page.Next, err
		}, *listed/16 + 1},
	} {
		readList(t, list)
	}
}

// readList reads a list page by page and compares each with the first one.
func readList(t *testing.T, list longList) {
	t.Helper()
	first, _ := costsOf(t, list, "")
	before, sum, repeated := resident(t), 0, 0
	var took, allocated []float64 // by the first page
	for after, more := "", true; more; {
		n, next, cost := costOf(t, list, after)
		if cost.over(first) { // perhaps for what else goes on: it is asked for again, in turns with the first
			repeated++
			first, cost = costsOf(t, list, after)
		}
		if cost.over(first) {
			t.Errorf("%s: page %d takes %+v, the first one %+v", list.name, len(took), cost, first)
		}
		took = append(took, float64(cost.took)/float64(first.took))
		allocated = append(allocated, float64(cost.allocated)/float64(first.allocated))
		sum, after, more = sum+n, next, next != ""
	}
	grown := resident(t) - before
	slices.Sort(took)
	t.Logf("%s: %d on %d pages; by the first, which takes %v and %d bytes, a page takes %.2f (median) and the largest has %.3f; %d were asked for again; %d kB more resident at the end",
		list.name, sum, len(took), first.took, first.allocated, took[len(took)/2], slices.Max(allocated), repeated, grown>>10)
	if sum != list.want {
		t.Errorf("%s: %d are listed, want %d", list.name, sum, list.want)
	}
	if *listed > fewListed && grown > residentGrowth {
		t.Errorf("%s: %d bytes more are resident at the end", list.name, grown)
	}
}

// costsOf returns what the first page of a list and another one take, the least of several times, in turns.
func costsOf(t *testing.T, list longList, after string) (first, other pageCost) {
	t.Helper()
	_, _, first = costOf(t, list, "")
	_, _, other = costOf(t, list, after)
	for range tries {
		_, _, again := costOf(t, list, "")
		first = first.least(again)
		_, _, again = costOf(t, list, after)
		other = other.least(again)
	}
	return first, other
}

func costOf(t *testing.T, list longList, after string) (n int, next string, cost pageCost) {
	t.Helper()
	var before, behind runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	n, next, err := list.page(after)
	cost.took = time.Since(began)
	runtime.ReadMemStats(&behind)
	if err != nil {
		t.Fatal(err)
	}
	cost.allocated = behind.TotalAlloc - before.TotalAlloc
	return n, next, cost
}

// resident returns how much of the process is in RAM, without what the collector could give back. It is not known everywhere: 0.
func resident(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	n, err := usage.Resident()
	if err != nil {
		return 0
	}
	return n
}
