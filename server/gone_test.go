package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The log has a call whose caller left at level debug only.
func TestCancelledCallsAreLoggedAtDebug(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
		var log lockedBuffer
		f := start(t, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, headers := range [][]string{bearer("admin-token-1"), bearer("admin-token-1", "Content-Type", "application/grpc")} {
			path, method := "/management/v1/users/"+alice+"/avatar", http.MethodDelete
			if len(headers) > 2 {
				path, method = "/zitadel.auth.v1.AuthService/RemoveMyAvatar", http.MethodPost
			}
			req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader("\x00\x00\x00\x00\x00"))
			for i := 0; i < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			f.server.Handler().ServeHTTP(httptest.NewRecorder(), req)
		}
		if got := strings.Contains(log.String(), "canceled"); got != want {
			t.Errorf("at %v the log tells of it: %v, want %v:\n%s", level, got, want, log.String())
		}
		if strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), "level=INFO msg=call") {
			t.Errorf("log:\n%s", log.String())
		}
	}
}
