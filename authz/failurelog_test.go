package authz

import (
	"example.org/avatard/test/clock"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A provider that fails for one token and answers about another, in turns, fills no log.
func TestOutageLogIsBounded(t *testing.T) {
	var log lockedBuffer
	c := clock.At(time.Unix(testNow, 0))
	o := &failureLog{log: slog.New(slog.NewTextHandler(&log, nil)), now: c.Now}
	for range 100 * 30 {
		o.recordFailure(operationIntrospection, "status 500")
		o.recordSuccess(operationIntrospection)
		c.Advance(10 * time.Millisecond)
	}
	if n := strings.Count(log.String(), "\n"); n != 2*3 {
		t.Errorf("%d lines in half a minute, want 6:\n%.1000s", n, log.String())
	}
	if !strings.Contains(log.String(), "failures=1000") {
		t.Errorf("no line tells how many there were:\n%.1000s", log.String())
	}
}
