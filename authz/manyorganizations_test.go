package authz

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// One token for which the provider hangs takes few places, in however many organisations it is used: the questions of others find some.
func TestHangingTokenInManyOrganizations(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			in := bubbleIntrospector(t, ttl, nil)
			in.carryToken = true
			in.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				switch {
				case r.Method == http.MethodGet:
					return respond(bubbleDiscovery)
				case r.Header.Get("Authorization") == "Bearer "+offender:
					return hang(r)
				case r.URL.Path == permissionsPath:
					return respond(`{"result":["user.write"]}`)
				}
				return respond(bubbleAnswer())
			})
			source, err := NewProviderPermissions(in)
			if err != nil {
				t.Fatal(err)
			}
			call := func(token, org string) error {
				id, err := in.Authenticate(t.Context(), bearer(token))
				if err == nil {
					_, err = source.Grant(t.Context(), id, org)
				}
				return err
			}
			for second := range 20 {
				for n := range 2 * maxConcurrent {
					go func() {
						if err := call(offender, fmt.Sprint("org-", n)); !errors.Is(err, ErrUnavailable) {
							t.Errorf("the offender: %v, want ErrUnavailable", err)
						}
					}()
				}
				time.Sleep(time.Second)
				began := time.Now()
				if err, took := call("bystander", "acme"), time.Since(began); err != nil || took != 0 {
					t.Errorf("ttl %v, second %d: a bystander: %v after %v", ttl, second, err, took)
				}
			}
			time.Sleep(time.Minute)
		})
	}
}
