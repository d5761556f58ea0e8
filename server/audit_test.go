package server

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"avatard/storage"
)

func TestRefusalsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	l := &refusals{now: func() time.Time { return now }}
	recorded, told := 0, 0
	offer := func(address string, times int) {
		for range times {
			if dropped, ok := l.allow(address); ok {
				recorded++
				told += int(dropped)
			}
		}
	}
	offer("a", 100)
	if recorded != maxRefusalsPerAddress {
		t.Errorf("recorded %d of one address, want %d", recorded, maxRefusalsPerAddress)
	}
	for other := range strings.SplitSeq("bcdefghijklmnopqrstuvwxyz", "") {
		offer(other, 3)
	}
	if recorded != maxRefusals {
		t.Errorf("recorded %d of many, want %d", recorded, maxRefusals)
	}
	if len(l.byPeer) > maxRefusals {
		t.Errorf("remembers %d addresses", len(l.byPeer))
	}
	now = now.Add(time.Second)
	offer("a", 1)
	if offered := 100 + 25*3 + 1; recorded != maxRefusals+1 || told != offered-recorded {
		t.Errorf("a second later %d are recorded and %d told to be dropped, of %d", recorded, told, offered)
	}
}

// auditedStore keeps the refusals it is told.
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
	f := start(t, func(c *Config) { audited.Store, c.Store = c.Store, audited })
	id := []string{"X-Request-Id", "r-1"}
	route := "/management/v1/users/" + alice + "/avatar"
	f.do(t, http.MethodDelete, route, nil, id...)                                                       // nobody known: not recorded
	f.do(t, http.MethodDelete, "/management/v1/users//avatar", nil, bearer("admin-token-1", id...)...)  // a mistake: not recorded
	f.do(t, http.MethodDelete, route, nil, bearer("viewer-token-1", id...)...)                          // recorded
	f.do(t, http.MethodDelete, "/management/v1/users/1/avatar", nil, bearer("admin-token-1", id...)...) // recorded with the target
	f.do(t, http.MethodGet, "/assets/v1/users/me/avatar", nil, bearer("moved-token-1", id...)...)       // recorded
	want := []storage.Refusal{
		{By: storage.Origin{Caller: "900000000000000002", CallerOrganization: acme, RequestID: "r-1"}, Organization: acme,
			Action: "DELETE /management/v1/users/{user_id}/avatar", Reason: "permission_denied AUTH-5mWD2"},
		{By: storage.Origin{Caller: "900000000000000001", CallerOrganization: acme, RequestID: "r-1"}, Organization: acme,
			Target: "1", Action: "DELETE /management/v1/users/{user_id}/avatar", Reason: "not_found USER-35N8f"},
		{By: storage.Origin{Caller: alice, CallerOrganization: globex, RequestID: "r-1"}, Organization: globex,
			Target: alice, Action: "GET /assets/v1/users/me/avatar", Reason: "failed_precondition"},
	}
	audited.mu.Lock()
	defer audited.mu.Unlock()
	if diff := cmp.Diff(want, audited.told); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}
