package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// An event of each scheme ends a user; the user stays ended, others stay, and the trail names the hook.
func TestHookEndsUser(t *testing.T) {
	for _, engine := range []string{"memory", "embedded"} {
		for _, hook := range []string{"events", "zitadel"} {
			t.Run(engine+" "+hook, func(t *testing.T) {
				f := startHooks(t, engine, nil)
				m := f.standard("msg_1", f.removed(alice, acme), hookKey)
				again := func() message { return f.standard("msg_1", m.body, hookKey) }
				if hook == "zitadel" {
					m = f.zitadel(f.removedAtZitadel(alice, acme))
					again = func() message { return f.zitadel(m.body) }
				}
				res, body := f.send(t, m)
				if receipt := res.Header.Get(receiptHeader); res.StatusCode != http.StatusOK || receipt == "" || body != `{"outcome":"erased","receiptId":"`+receipt+`"}` {
					t.Errorf("%d %s", res.StatusCode, body)
				}
				if _, _, err := f.store.AddUser(t.Context(), f.key(alice), acme, storage.Origin{}); !errors.Is(err, storage.ErrUserEnded) {
					t.Errorf("AddUser = %v, want %v", err, storage.ErrUserEnded)
				}
				if _, err := f.store.Stat(t.Context(), f.key(bob), acme); err != nil || !f.has(t, carol, globex) {
					t.Errorf("somebody else has ended: %v", err)
				}
				if got, want := f.changedBy(t, "hook "+hook), []string{"remove " + alice, "user-erase " + alice}; !slices.Equal(got, want) {
					t.Errorf("changes %q, want %q", got, want)
				}
				if !strings.Contains(f.log.String(), `caller="hook `+hook+`" organisation=`+acme+" user="+alice) {
					t.Errorf("the log does not name the hook:\n%s", f.log)
				}
				f.want(t, "the same message", m, http.StatusConflict, "AVATAR-h5Rp7")
				if told := f.told(); len(told) != 1 || told[0].By.Caller != "hook "+hook || told[0].Target != alice || told[0].Organization != acme {
					t.Errorf("refusals %+v", told)
				}
				f.pass(time.Second)
				f.want(t, "a retry", again(), http.StatusOK, `{"outcome":"done_before"}`)
				f.pass(25 * time.Hour)
				f.want(t, "a retry a day later", again(), http.StatusOK, `{"outcome":"nothing_left"}`)
				for _, secret := range []string{hookKey, nextKey, zitadelKey} {
					if strings.Contains(f.log.String(), secret) {
						t.Error("a secret is in the log")
					}
				}
			})
		}
	}
}

// hookRefusal is a message that is refused.
type hookRefusal struct {
	title   string
	message message
	status  int
	reason  string // in the audit trail
	proven  bool   // as the sender's
}

func hookRefusals(f *hookFixture) []hookRefusal {
	user := f.removed(alice, acme)
	at := func(d time.Duration) message { // one that was signed then
		f.pass(d)
		defer f.pass(-d)
		return f.standard("msg_1", user, hookKey)
	}
	swapped := func(m message, old, replacement string) message {
		m.body = strings.Replace(m.body, old, replacement, 1)
		return m
	}
	signed := func(body string) message { return f.standard("msg_1", body, hookKey) }
	const unsigned, body, other = "unauthenticated AVATAR-h1Sg4", "invalid_argument AVATAR-h2Bd6", "permission_denied AVATAR-h3Og9"
	long := user[:len(user)-1] + `,"more":"` + strings.Repeat("x", 64<<10) + `"}`
	return []hookRefusal{
		{"no signature", message{"events", user, nil}, 401, unsigned, false},
		{"a signature of another secret", f.standard("msg_1", user, strings.Repeat("x", 32)), 401, unsigned, false},
		{"another user than was signed", swapped(signed(user), alice, bob), 401, unsigned, false},
		{"old", at(-5*time.Minute - time.Second), 401, unsigned, false},
		{"in the future", at(5*time.Minute + time.Second), 401, unsigned, false},
		{"signed for another hook", message{"zitadel", user, signed(user).headers}, 401, unsigned, false},
		{"an organisation that the hook is not bound to", signed(f.removed(carol, globex)), 403, other, true},
		{"the end of such an organisation", signed(f.removed("", globex)), 403, other, true},
		{"ZITADEL's, of such an organisation", f.zitadel(f.removedAtZitadel(carol, globex)), 403, other, true},
		{"a user of another organisation than the event says", signed(f.removed(carol, acme)), 403, "permission_denied AVATAR-h4Ot2", true},
		{"ZITADEL's, of such a user", f.zitadel(f.removedAtZitadel(carol, acme)), 403, "permission_denied AVATAR-h4Ot2", true},
		{"an organisation of the settings", signed(f.removed("", initech)), 400, "failed_precondition AVATAR-o7Cf3", true},
		{"from before the registration", beforeRegistration(f, user), 409, "failed_precondition AVATAR-h6Od3", true},
		{"a name twice", signed(strings.Replace(user, `"data":{`, `"data":{"userId":"`+bob+`",`, 1)), 400, body, true},
		{"deep", signed(user[:len(user)-1] + `,"more":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`), 400, body, true},
		{"more behind it", signed(user + "{}"), 400, body, true},
		{"no JSON", signed("type=user.removed"), 400, body, true},
		{"without a user", signed(`{"type":"user.removed","timestamp":"2026-01-01T00:00:00Z","data":{"organizationId":"` + acme + `"}}`), 400, body, true},
		{"too long", signed(long), 413, "resource_exhausted", false},
	}
}

// beforeRegistration is a message about a user whom the sender removed an hour before they were registered.
func beforeRegistration(f *hookFixture, user string) message {
	hour := f.clock().Add(-time.Hour).Format(time.RFC3339Nano)
	return f.standard("msg_1", strings.Replace(user, f.clock().Format(time.RFC3339Nano), hour, 1), hookKey)
}

// What is refused changes nothing, tells a stranger nothing, and is on record.
func TestHookRefuses(t *testing.T) {
	for _, engine := range []string{"memory", "embedded"} {
		t.Run(engine, func(t *testing.T) {
			f := startHooks(t, engine, func(c *Config) { c.StartOrganizations = []string{initech} })
			if _, err := f.store.AddOrganization(t.Context(), initech, storage.Origin{}); err != nil {
				t.Fatal(err)
			}
			before := f.state(t)
			for _, row := range hookRefusals(f) {
				res, body := f.send(t, row.message)
				if res.StatusCode != row.status || strings.Contains(body, alice) || strings.Contains(body, carol) {
					t.Errorf("%s: %d %s, want %d", row.title, res.StatusCode, body, row.status)
				}
				if challenge := res.Header.Get("WWW-Authenticate"); (challenge == `Signature realm="avatard"`) != (row.status == 401) {
					t.Errorf("%s: WWW-Authenticate %q", row.title, challenge)
				}
				if want := `{"code":16,"message":"no current signature with a secret of this hook (AVATAR-h1Sg4)"`; row.status == 401 && !strings.HasPrefix(body, want) {
					t.Errorf("%s: %s, want the same for every stranger", row.title, body)
				}
				caller := "hook " + row.message.hook
				if !row.proven {
					caller += ", not proven"
				}
				told := f.told()
				if len(told) != 1 || told[0].Reason != row.reason || told[0].By.Caller != caller || told[0].Action != "POST /hooks/"+row.message.hook {
					t.Errorf("%s: refusals %+v, want one of %s because of %s", row.title, told, caller, row.reason)
				}
				if after := f.state(t); after != before {
					t.Fatalf("%s: the store has changed from\n%s\nto\n%s", row.title, before, after)
				}
			}
			f.want(t, "the same event, signed", f.standard("msg_1", f.removed(alice, acme), hookKey), http.StatusOK, "erased")
		})
	}
}

// Either of two secrets counts, and a sender may sign with several. Events that end nobody, and those of nobody, are done with.
func TestHookTakes(t *testing.T) {
	f := startHooks(t, "memory", nil)
	f.want(t, "the second secret", f.standard("msg_1", f.removed(alice, acme), nextKey), http.StatusOK, `{"outcome":"erased"`)
	f.want(t, "two signatures", f.standard("msg_2", f.removed(bob, acme), strings.Repeat("x", 32), hookKey), http.StatusOK, `{"outcome":"erased"`)
	before := f.state(t)
	f.want(t, "a user who is unknown", f.standard("msg_3", f.removed("1", acme), hookKey), http.StatusOK, `{"outcome":"nothing_left"}`)
	f.want(t, "an organisation that is unknown", f.standard("msg_4", f.removed("", initech), hookKey), http.StatusOK, `{"outcome":"nothing_left"}`)
	f.want(t, "a user who was deactivated", f.zitadel(strings.Replace(f.removedAtZitadel(carol, globex), "user.removed", "user.deactivated", 1)), http.StatusOK, `{"outcome":"ignored"}`)
	if after := f.state(t); after != before || len(f.told()) > 0 {
		t.Errorf("the store has changed from\n%s\nto\n%s", before, after)
	}
}

// An event of before does not end who was readmitted since: neither its message again, nor a retry, nor behind a restart. One of later does.
func TestHookOfBeforeAReadmission(t *testing.T) {
	for _, what := range []string{"user", "organisation"} {
		t.Run(what, func(t *testing.T) {
			f := startHooks(t, "embedded", nil)
			admin := storage.Origin{Caller: "admin", Readmits: true}
			user, readmit := alice, func() error { _, _, err := f.store.AddUser(t.Context(), f.key(alice), acme, admin); return err }
			if what == "organisation" {
				user, readmit = "", func() error { _, err := f.store.AddOrganization(t.Context(), acme, admin); return err }
			}
			body := f.removed(user, acme)
			m := f.standard("msg_1", body, hookKey)
			f.want(t, "the event", m, http.StatusOK, "erased")
			if err := readmit(); err != nil {
				t.Fatal(err)
			}
			before := f.state(t)
			f.want(t, "its message", m, http.StatusConflict, "AVATAR-h5Rp7")
			f.again(t)
			f.want(t, "its message behind a restart", m, http.StatusConflict, "AVATAR-h6Od3")
			f.pass(time.Minute)
			f.want(t, "a retry behind a restart", f.standard("msg_1", body, hookKey), http.StatusConflict, "AVATAR-h6Od3")
			if after := f.state(t); after != before {
				t.Fatalf("the store has changed from\n%s\nto\n%s", before, after)
			}
			f.want(t, "another event", f.standard("msg_2", f.removed(user, acme), hookKey), http.StatusOK, "erased")
		})
	}
}

// While the store cannot do its part the sender is asked to come again, and then it is done: what failed is not remembered.
func TestHookOutage(t *testing.T) {
	for _, user := range []string{alice, ""} {
		var ill *faulty.Store
		f := startHooks(t, "memory", func(c *Config) { ill = faulty.New(c.Store); c.Store = ill })
		ill.Set(faulty.Fault{Kind: faulty.FailBefore, Methods: []faulty.Method{faulty.EraseUser}, Times: -1, Err: storage.ErrUnavailable})
		m := f.standard("msg_1", f.removed(user, acme), hookKey)
		for range 2 {
			f.want(t, "an outage", m, http.StatusServiceUnavailable, "")
		}
		if user == "" {
			if state, err := f.store.OrganizationState(t.Context(), acme); state != storage.Ending || err != nil {
				t.Errorf("the organisation is %v, %v; want its end to be durable", state, err)
			}
		}
		ill.Clear()
		f.want(t, "the same message behind it", m, http.StatusOK, "erased")
	}
}
