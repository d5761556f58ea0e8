package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/avatard/server/webhook"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
)

// The secrets of the hooks of the tests. The hook "events" has two.
const (
	hookKey    = "0123456789abcdef0123456789abcdef"
	nextKey    = "fedcba9876543210fedcba9876543210"
	zitadelKey = "36-characters-of-a-zitadel-target-key"
)

// hookFixture is a fixture with the hooks "events" and "zitadel", which are bound to acme, and a clock.
type hookFixture struct {
	*fixture
	audited *auditedStore

	mu  sync.Mutex
	now time.Time
}

func (f *hookFixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// pass lets time pass.
func (f *hookFixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// startHooks starts a server with hooks on a store. Its clock begins behind the registrations of all users, and stands still.
func startHooks(t *testing.T, engine string, change func(*Config)) *hookFixture {
	t.Helper()
	f := &hookFixture{audited: new(auditedStore)}
	secrets := func(s webhook.Scheme, text string) func() []webhook.Secret {
		parsed, err := webhook.ParseSecrets(s, text)
		if err != nil {
			t.Fatal(err)
		}
		return func() []webhook.Secret { return parsed }
	}
	standard := "whsec_" + base64.StdEncoding.EncodeToString([]byte(hookKey)) + "\nwhsec_" + base64.StdEncoding.EncodeToString([]byte(nextKey))
	f.fixture = start(t, func(c *Config) {
		if engine == "memory" {
			c.Store = f.inMemory(t)
		}
		f.audited.Store, c.Store = c.Store, f.audited
		c.Now = f.clock
		c.Hooks = []Hook{
			{Name: "events", Secrets: secrets(webhook.Standard, standard), Organizations: []string{acme, initech}},
			{Name: "zitadel", Scheme: webhook.Zitadel, Secrets: secrets(webhook.Zitadel, zitadelKey), Organizations: []string{acme, initech}},
		}
		if change != nil {
			change(c)
		}
	})
	f.store, f.now = f.audited.Store, time.Now()
	return f
}

// inMemory returns a store in memory with the users of start.
func (f *hookFixture) inMemory(t *testing.T) storage.Store {
	t.Helper()
	s, err := memory.New("").Open(t.Context(), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for user, org := range map[string]string{alice: acme, bob: acme, carol: globex} {
		if _, _, err := s.AddUser(t.Context(), f.key(user), org, storage.Origin{Caller: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	in := &fixture{store: s}
	in.give(t, alice, acme)
	in.give(t, carol, globex)
	return s
}

// again starts another server on the same store, as behind a restart, or as another one of a cluster.
func (f *hookFixture) again(t *testing.T) {
	t.Helper()
	server, err := New(f.server.config)
	if err != nil {
		t.Fatal(err)
	}
	f.serve(t, server)
}

func hashed(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// message is one to a hook.
type message struct {
	hook, body string
	headers    []string
}

// standard is a message of Standard Webhooks, signed at the fixture's time with some keys.
func (f *hookFixture) standard(id, body string, keys ...string) message {
	stamp, signatures := fmt.Sprint(f.clock().Unix()), []string{"v1a,unknown"}
	for _, key := range keys {
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(hashed(key, id+"."+stamp+"."+body)))
	}
	return message{"events", body, []string{"Webhook-Id", id, "Webhook-Timestamp", stamp, "Webhook-Signature", strings.Join(signatures, " ")}}
}

// zitadel is a message of ZITADEL's, signed at the fixture's time.
func (f *hookFixture) zitadel(body string) message {
	stamp := fmt.Sprint(f.clock().Unix())
	return message{"zitadel", body, []string{"Zitadel-Signature", "t=" + stamp + ",v1=" + hex.EncodeToString(hashed(zitadelKey, stamp+"."+body))}}
}

// removed is the body of an event of Standard Webhooks at the fixture's time; user "" = the organisation was removed.
func (f *hookFixture) removed(user, org string) string {
	kind := "user.removed"
	if user == "" {
		kind = "organization.removed"
	}
	return fmt.Sprintf(`{"type":%q,"timestamp":%q,"data":{"userId":%q,"organizationId":%q}}`, kind, f.clock().Format(time.RFC3339Nano), user, org)
}

// removedAtZitadel is the same of ZITADEL's.
func (f *hookFixture) removedAtZitadel(user, org string) string {
	kind, aggregate := "user", user
	if user == "" {
		kind, aggregate = "org", org
	}
	return fmt.Sprintf(`{"aggregateID":%q,"aggregateType":%q,"resourceOwner":%q,"instanceID":"1","version":"v2","sequence":9,`+
		`"event_type":"%s.removed","created_at":%q,"userID":"900000000000000001","event_payload":"e30="}`,
		aggregate, kind, org, kind, f.clock().Format(time.RFC3339Nano))
}

// send sends a message.
func (f *hookFixture) send(t *testing.T, m message) (*http.Response, string) {
	t.Helper()
	return f.do(t, http.MethodPost, hookPrefix+m.hook, strings.NewReader(m.body), m.headers...)
}

// want sends a message and demands a status, and what the answer contains.
func (f *hookFixture) want(t *testing.T, what string, m message, status int, says string) {
	t.Helper()
	res, body := f.send(t, m)
	if res.StatusCode != status || !strings.Contains(body, says) {
		t.Errorf("%s: %d %s, want %d %s", what, res.StatusCode, body, status, says)
	}
	if (res.Header.Get("Retry-After") != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("%s: Retry-After %q", what, res.Header.Get("Retry-After"))
	}
}

// told returns the refusals that were put on record since the last time.
func (f *hookFixture) told() []storage.Refusal {
	f.server.refusals.flush(maxRefusalKinds)
	f.server.unproven.flush(maxRefusalKinds)
	f.audited.mu.Lock()
	defer f.audited.mu.Unlock()
	told := f.audited.told
	f.audited.told = nil
	return told
}

// state is everything that events can change, in words.
func (f *hookFixture) state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	page, err := f.store.ListUsers(t.Context(), storage.UserQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range page.Users {
		fmt.Fprintf(&b, "%+v\n", u)
	}
	receipts, err := f.store.ListReceipts(t.Context(), storage.ReceiptQuery{})
	if err != nil {
		t.Fatal(err)
	}
	trail, err := f.store.ListAudit(t.Context(), storage.AuditQuery{Kind: storage.ChangesOnly})
	if err != nil {
		t.Fatal(err)
	}
	for _, org := range []string{acme, globex, initech} {
		state, err := f.store.OrganizationState(t.Context(), org)
		fmt.Fprintln(&b, org, state, err)
	}
	fmt.Fprintf(&b, "%+v %+v\n", receipts.Receipts, trail.Records)
	return b.String()
}

// changedBy returns the actions in the trail of a caller, sorted.
func (f *hookFixture) changedBy(t *testing.T, caller string) []string {
	t.Helper()
	page, err := f.store.ListAudit(t.Context(), storage.AuditQuery{Caller: caller, Kind: storage.ChangesOnly})
	if err != nil {
		t.Fatal(err)
	}
	actions := map[string]int{}
	for _, r := range page.Records {
		actions[r.Action+" "+r.Target]++
	}
	return slices.Sorted(maps.Keys(actions))
}
