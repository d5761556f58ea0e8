package server

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
)

// refused returns a refusal of a caller.
func refused(caller, action, reason string) storage.Refusal {
	return storage.Refusal{By: storage.Origin{Caller: caller}, Action: action, Reason: reason}
}

// recording returns refusals, and a function that returns what they have recorded.
func recording() (l *refusals, recorded func() []storage.Refusal) {
	var mu sync.Mutex
	var told []storage.Refusal
	return &refusals{pause: refusalPause, record: func(r storage.Refusal) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, r)
		}}, func() []storage.Refusal {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(told)
		}
}

// remembered returns how many kinds are remembered.
func (l *refusals) remembered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kinds)
}

// stoodFor adds up the refusals that records stand for.
func stoodFor(told []storage.Refusal) (n int64) {
	for _, r := range told {
		n += 1 + r.Dropped
	}
	return n
}

// Ten junk refusals, or ten thousand, do not hide the one that matters: not of the same caller, and not of another one at the same
// address. Each kind is one record with its number.
func TestJunkRefusalsHideNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, told := recording()
		for range 10_000 {
			l.add(refused("loud", "read", "404"))
		}
		l.add(refused("loud", "delete", "403"))
		l.add(refused("quiet", "read", "404"))
		time.Sleep(refusalPause)
		synctest.Wait()
		want := []storage.Refusal{refused("quiet", "read", "404"), refused("loud", "delete", "403"), refused("loud", "read", "404")}
		want[2].Dropped = 9_999
		if diff := gocmp.Diff(want, told()); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if l.remembered() != 0 {
			t.Error("something is left")
		}
	})
}

// More kinds than are recorded at once wait, the rarest of each caller goes first, and all are recorded in the end.
func TestRefusalsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, told := recording()
		total := int64(0)
		for caller := range 10 {
			for kind := range 20 {
				for range 1 + 10*caller + kind {
					l.add(refused(fmt.Sprint(caller), fmt.Sprint("action ", kind), "403"))
					total++
				}
			}
		}
		l.add(refused("late", "delete", "403"))
		time.Sleep(refusalPause)
		synctest.Wait()
		if len(told()) != maxRefusals || told()[0].By.Caller != "late" {
			t.Errorf("%d records, the first of %+v; want %d, the rarest first", len(told()), told()[0], maxRefusals)
		}
		each := make(map[string]int)
		for _, r := range told() {
			each[r.By.Caller]++
		}
		for caller := range 10 {
			if n := each[fmt.Sprint(caller)]; n < 4 || n > 5 {
				t.Errorf("%d records of caller %d, want every caller to have as many", n, caller)
			}
		}
		time.Sleep(4 * refusalPause)
		synctest.Wait()
		if len(told()) != 201 || stoodFor(told()) != total+1 {
			t.Errorf("in the end %d records for %d refusals, want 201 for %d", len(told()), stoodFor(told()), total+1)
		}
	})
}

// However many callers there are, memory is bounded, and refusals without a record are counted in the next one.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, told := recording()
		const callers = 3 * maxRefusalKinds
		for caller := range callers {
			l.add(refused(fmt.Sprint(caller), "read", "404"))
			if n := l.remembered(); n > maxRefusalKinds {
				t.Fatalf("%d kinds are remembered", n)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(told()) != maxRefusalKinds || stoodFor(told()) != callers || l.forgotten() != callers-maxRefusalKinds {
			t.Errorf("%d records for %d refusals, %d lost; want %d for %d", len(told()), stoodFor(told()), l.forgotten(), maxRefusalKinds, callers)
		}
	})
}

// auditedStore keeps the refusals that it is asked to record.
type auditedStore struct {
	storage.Store
	mu   sync.Mutex
	told []storage.Refusal
}

func (a *auditedStore) RecordRefusal(r storage.Refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, r)
}

func TestRefusalsAreRecorded(t *testing.T) {
	audited := new(auditedStore)
	f := start(t, func(c *Config) {
		audited.Store, c.Store = c.Store, audited
		c.NewRequestID = func() string { return "ours" }
	})
	id := []string{"X-Request-Id", "r-1"}
	route := "/management/v1/users/" + alice + "/avatar"
	f.do(t, http.MethodDelete, route, nil, id...)                                                       // nobody known: not recorded
	f.do(t, http.MethodDelete, "/management/v1/users//avatar", nil, bearer("admin-token-1", id...)...)  // a mistake: not recorded
	f.do(t, http.MethodDelete, route, nil, bearer("viewer-token-1", id...)...)                          // recorded
	f.do(t, http.MethodDelete, "/management/v1/users/1/avatar", nil, bearer("admin-token-1", id...)...) // recorded with the target
	f.do(t, http.MethodGet, "/assets/v1/users/me/avatar", nil, bearer("moved-token-1", id...)...)       // recorded
	want := []storage.Refusal{
		{By: storage.Origin{Caller: "900000000000000002", CallerOrganization: acme, RequestID: "r-1/ours"}, Organization: acme,
			Action: "DELETE /management/v1/users/{user_id}/avatar", Reason: "permission_denied AUTH-5mWD2"},
		{By: storage.Origin{Caller: "900000000000000001", CallerOrganization: acme, RequestID: "r-1/ours"}, Organization: acme,
			Target: "1", Action: "DELETE /management/v1/users/{user_id}/avatar", Reason: "not_found USER-35N8f"},
		{By: storage.Origin{Caller: alice, CallerOrganization: globex, RequestID: "r-1/ours"}, Organization: globex,
			Target: alice, Action: "GET /assets/v1/users/me/avatar", Reason: "failed_precondition"},
	}
	f.server.refusals.flush(maxRefusals)
	audited.mu.Lock()
	defer audited.mu.Unlock()
	slices.SortFunc(audited.told, func(a, b storage.Refusal) int { return cmp.Compare(a.By.Caller, b.By.Caller) })
	slices.SortFunc(want, func(a, b storage.Refusal) int { return cmp.Compare(a.By.Caller, b.By.Caller) })
	if diff := gocmp.Diff(want, audited.told); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}
