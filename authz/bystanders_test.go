package authz

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

const offender = "a-token-that-the-provider-cannot-stand"

// offences are what makes a provider fail for one token.
var offences = []struct {
	why   string
	every time.Duration // between two calls of the offender
	// fail is how the provider answers, nil = with what nobody can use.
	fail roundTrip
	// introspected is a member of an answer about the token that makes it such.
	introspected string
}{
	{why: "a role claim of another form", every: time.Second / 4, introspected: `"urn:zitadel:iam:org:project:42:roles":{"ORG_OWNER":{"org1":null}}`},
	{why: "500 twice a second", every: time.Second / 2, fail: status(http.StatusInternalServerError)},
	{why: "an answer after 4 s", every: time.Second / 2, fail: func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(4 * time.Second):
			return respond(bubbleAnswer())
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}},
	{why: "a connection that is cut", every: time.Second / 4, fail: func(*http.Request) (*http.Response, error) { return nil, errors.New("cut") }},
	{why: "400", every: time.Second / 4, fail: status(http.StatusBadRequest)},
	{why: "429", every: time.Second / 4, fail: status(http.StatusTooManyRequests)},
}

// One token for which the provider fails, offered for forty seconds, is nobody else's trouble: neither of those whose tokens
// are known nor of those who come for the first time, whatever the source of permissions and whether or not answers are kept.
func TestBystanders(t *testing.T) {
	for i := range offences {
		for _, ttl := range []time.Duration{0, testTTL} {
			for _, permissions := range []bool{false, true} {
				for _, known := range []bool{false, true} {
					title := fmt.Sprintf("%s, ttl %v, asks for permissions %v, offender known %v", offences[i].why, ttl, permissions, known)
					t.Run(title, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { testBystanders(t, i, ttl, permissions, known) })
					})
				}
			}
		}
	}
}

func testBystanders(t *testing.T, offence int, ttl time.Duration, permissions, offenderKnown bool) {
	offending := false
	in := offendedIntrospector(t, offence, ttl, permissions, &offending)
	source, err := NewProviderPermissions(in)
	if err != nil {
		t.Fatal(err)
	}
	call := func(token string) error {
		id, err := in.Authenticate(t.Context(), bearer(token))
		if err == nil {
			_, err = source.Grant(t.Context(), id, "acme")
		}
		return err
	}
	known := call("known")
	if offenderKnown {
		known = errors.Join(known, call(offender))
		time.Sleep(2 * testTTL)
	}
	if known != nil {
		t.Fatal(known)
	}
	offending = true
	end := time.Now().Add(40 * time.Second)
	go func() {
		for time.Now().Before(end) {
			go func() {
				if err := call(offender); !errors.Is(err, ErrUnavailable) {
					t.Errorf("the offender: %v, want ErrUnavailable", err)
				}
			}()
			time.Sleep(offences[offence].every)
		}
	}()
	for n := 0; time.Now().Before(end); n++ {
		time.Sleep(3700 * time.Millisecond)
		began := time.Now()
		known, fresh := call("known"), call(fmt.Sprint("fresh-", n))
		if took := time.Since(began); known != nil || fresh != nil || took != 0 {
			t.Errorf("bystanders after %v: known %v, fresh %v", took, known, fresh)
			break
		}
	}
	time.Sleep(time.Minute) // until all goroutines have ended
}

// Nor are bystanders in trouble who come seldom: no answer to them is between the failures of the one token.
func TestRareBystander(t *testing.T) {
	for _, offence := range offences {
		t.Run(offence.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := bubbleIntrospector(t, testTTL, func(r *http.Request) (*http.Response, error) {
					switch {
					case r.FormValue("token") != offender:
						return respond(bubbleAnswer())
					case offence.fail != nil:
						return offence.fail(r)
					}
					return respond(`{` + offence.introspected + `,` + bubbleAnswer()[1:])
				})
				in.rules.projectID = "42"
				for range 200 {
					if _, err := in.Authenticate(t.Context(), bearer(offender)); !errors.Is(err, ErrUnavailable) || errors.Is(err, errCircuitOpen) {
						t.Fatalf("%s: the offender: %v, want ErrUnavailable", offence.why, err)
					}
					time.Sleep(offence.every)
				}
				if _, err := in.Authenticate(t.Context(), bearer("fresh")); err != nil {
					t.Errorf("%s: a bystander: %v", offence.why, err)
				}
			})
		})
	}
}

// offendedIntrospector asks a provider that commits an offence about the offender's token while offending is true: when it is asked for
// permissions, or else when it introspects.
func offendedIntrospector(t *testing.T, offence int, ttl time.Duration, permissions bool, offending *bool) *Introspector {
	t.Helper()
	o := offences[offence]
	in := bubbleIntrospector(t, ttl, nil)
	in.rules.projectID = "42"
	in.carryToken = true
	in.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return respond(bubbleDiscovery)
		}
		searches := r.URL.Path == permissionsPath
		bad := *offending && searches == permissions &&
			(r.Header.Get("Authorization") == "Bearer "+offender || !searches && r.FormValue("token") == offender)
		switch {
		case bad && o.fail != nil:
			return o.fail(r)
		case bad && searches:
			return respond(`{"result":{}}`)
		case searches:
			return respond(`{"result":["user.write"]}`)
		case bad:
			return respond(`{` + o.introspected + `,` + bubbleAnswer()[1:])
		}
		return respond(bubbleAnswer())
	})
	return in
}
