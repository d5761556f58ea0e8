package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"avatard/server"
)

// BenchmarkObserveCall measures what counting adds to a call.
func BenchmarkObserveCall(b *testing.B) {
	m := New(Config{})
	report := server.CallReport{Procedure: remove, Form: "rest", Code: "ok", Took: time.Millisecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.ObserveCall(report)
		}
	})
}

// BenchmarkCall measures a whole call, the network apart, without and with metrics. The call is one that needs no disk:
// a removal for a user who is not there.
func BenchmarkCall(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprint("metrics=", with), func(b *testing.B) {
			var m *Metrics
			if with {
				m = New(Config{})
			}
			h := newServer(b, m)
			r := httptest.NewRequest(http.MethodGet, "/assets/v1/acme/users/nobody/avatar", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
