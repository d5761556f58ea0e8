package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"example.org/avatard/server"
)

// BenchmarkObserveCall measures the cost of counting a call.
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

// BenchmarkCall measures a whole call without the network, with and without metrics. The call needs no disk: it is a removal for an
// unknown user.
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
