package authz

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A token that was active of late and is rejected twice, with an answer about another one between, has ended only where the provider is well,
// like one that is called inactive: a provider that is failing may reject now these and now those.
func TestRejectedDuringAnOutage(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			rejecting := false
			p := &forgetful{}
			in := bubbleIntrospector(t, ttl, nil)
			in.client.Transport = limitedTransport{next: roundTrip(func(r *http.Request) (*http.Response, error) {
				if rejecting && r.FormValue("token") == testToken {
					return status(http.StatusBadRequest)(r)
				}
				return p.RoundTrip(r)
			})}
			call := func(token string) error {
				time.Sleep(2 * testTTL)
				_, err := in.Authenticate(t.Context(), bearer(token))
				return err
			}
			if err := errors.Join(call(testToken), call("other")); err != nil {
				t.Fatal(err)
			}
			rejecting, p.discovery = true, status(http.StatusInternalServerError)
			for range 3 {
				if err := call(testToken); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
					t.Errorf("ttl %v: during an outage: %v, want ErrUnavailable", ttl, err)
				}
				if err := call("other"); err != nil {
					t.Fatal(err)
				}
			}
			p.discovery = nil
			if err := call(testToken); !errors.Is(err, ErrInvalidToken) || Refused(err).Reason != ReasonRejected {
				t.Errorf("ttl %v: at a provider that is well: %v, want ErrInvalidToken", ttl, err)
			}
		})
	}
}
