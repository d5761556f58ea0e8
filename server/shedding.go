package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// shedReason is why a connection or a request was refused before anything was done for it.
type shedReason int

const (
	shedRequests             shedReason = iota // too many in flight
	shedRequestsOfAddress                      // too many in flight from one address
	shedHeaders                                // too many bytes of header fields in flight
	shedFields                                 // more header fields than a request may have
	shedConnections                            // too many connections
	shedConnectionsOfAddress                   // too many connections from one address
	shedReasons
)

// awayNames are the reasons as metrics and log name them.
var shedReasonNames = [shedReasons]string{
	shedRequests: "requests", shedRequestsOfAddress: "requests_address", shedHeaders: "header_bytes", shedFields: "header_fields",
	shedConnections: "connections", shedConnectionsOfAddress: "connections_address",
}

// warnEvery is the least time between two lines of the log about what was shed.
const warnEvery = time.Minute

// shedCounter counts what was shed.
type shedCounter struct {
	logger *slog.Logger
	now    func() time.Time
	counts [shedReasons]atomic.Uint64
	warned atomic.Int64               // when, in Unix nanoseconds, 0 = never
	told   [shedReasons]atomic.Uint64 // what counts were then
}

// count counts one. Once a minute the log gets a line about all of them, with the address of the one that is counted.
func (t *shedCounter) count(ctx context.Context, why shedReason, address string) {
	t.counts[why].Add(1)
	now, last := t.now().UnixNano(), t.warned.Load()
	if last != 0 && now-last < int64(warnEvery) || !t.warned.CompareAndSwap(last, now) {
		return
	}
	fields := []slog.Attr{slog.String("address", address), slog.String("reason", shedReasonNames[why])}
	for i := range t.counts {
		count := t.counts[i].Load()
		if since := count - t.told[i].Swap(count); since > 0 {
			fields = append(fields, slog.Uint64(shedReasonNames[i], since))
		}
	}
	t.logger.LogAttrs(ctx, slog.LevelWarn, "turned away; see limits in docs/configuration.md", fields...)
}

// Load is how much a Server has to do at the moment, and what it has shed since it was made.
type Load struct {
	// Connections are open, those in reserve for health included.
	Connections int
	// Requests are in flight, OpenRequests those of them that need no token.
	Requests, OpenRequests int
	// Refused counts connections and requests that were refused, by the bound that they were over.
	Refused map[string]uint64
	// Budgets are those that pictures on their way share, by name: "upload_bytes", "upload_turns", "read_bytes", "read_turns" and "resize_turns" of callers
	// with a token, "public_read_bytes", "public_read_turns" and "public_resize_turns" of those without one.
	Budgets map[string]SemaphoreStats
	// Renditions are the pictures that are kept in memory in the sizes that readers asked for.
	Renditions RenditionStats
	// SummedCalls have no line of their own in the log. LostRefusals have no record in the audit trail, but are counted in one.
	SummedCalls, LostRefusals uint64
}

// Load tells how much there is to do.
func (s *Server) Load() Load {
	open := s.openCalls.requests() + s.hookCalls.requests()
	l := Load{Connections: s.connections.Open(), Requests: open + s.calls.requests(), OpenRequests: open, Refused: make(map[string]uint64),
		Budgets: s.pictureBudgets.stats(), Renditions: s.renditions.stats(), SummedCalls: s.logSums.summed(), LostRefusals: s.refusals.forgotten()}
	for i := range s.sheds.counts {
		l.Refused[shedReasonNames[i]] = s.sheds.counts[i].Load()
	}
	return l
}
