package cluster

import (
	"net/http"
	"sync/atomic"
	"testing"
)

// A server that refuses an upload's request because of another one at the same time, as S3 does with 409, is asked again; one that goes on to
// refuse it is not asked for ever.
func TestUploadThatMeetsAConflict(t *testing.T) {
	o := options(t, true)
	network := o.Bucket.Transport.(*breakable)
	var left, sent atomic.Int64
	network.script = func(r *http.Request) *http.Response {
		if r.Method != http.MethodPut {
			return nil
		}
		sent.Add(1)
		if left.Add(-1) < 0 {
			return nil
		}
		return answer(http.StatusConflict, "ConditionalRequestConflict")
	}
	s := openStore(t, o)
	u := addUser(t, s, "u")
	for refused, want := range map[int64]bool{0: true, 1: true, 2: true, 3: false} {
		sent.Store(0)
		left.Store(refused)
		_, err := s.Put(t.Context(), uploadOf(u, 3000))
		if (err == nil) != want || sent.Load() != min(refused+1, 3) {
			t.Errorf("refused %d times: %v after %d requests, want success: %v", refused, err, sent.Load(), want)
		}
		left.Store(0)
	}
}
