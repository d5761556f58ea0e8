package server

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
)

// A configured interceptor sees the calls that were let in, in every form, with the headers that callers send and the errors that they get.
func TestInterceptors(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	f := start(t, func(c *Config) {
		c.Interceptors = []connect.Interceptor{connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
				res, err := next(ctx, req)
				mu.Lock()
				defer mu.Unlock()
				line := req.Spec().Procedure + " " + req.Header().Get("Traceparent")
				if err != nil {
					line += " " + err.Error()
				}
				seen = append(seen, line)
				return res, err
			}
		})}
	})
	const media, parent = "Content-Type", "Traceparent"
	f.do(t, http.MethodDelete, "/management/v1/users/"+alice+"/avatar", nil, "Authorization", "Bearer admin-token-1", parent, "rest")
	f.do(t, http.MethodPost, meProcedure, strings.NewReader("{}"), "Authorization", "Bearer alice-token-1", media, "application/json", parent, "connect")
	f.do(t, http.MethodPost, removeProcedure, strings.NewReader(envelope(0, 3, "\x0a\x01x")), "Authorization", "Bearer admin-token-1", media, "application/grpc-web", parent, "web")
	f.do(t, http.MethodDelete, "/management/v1/users/"+alice+"/avatar", nil, parent, "refused before")
	want := []string{
		removeProcedure + " rest", meProcedure + " connect",
		removeProcedure + " web not_found: user not found in this organisation (USER-35N8f)",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}
