package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What must hold.
const (
	minKeptRate  = 0.9
	maxAtOnce    = 64
	maxGrowthMiB = 8
	// minFloodRate is how much of the flood must have come. A machine that cannot send it shows nothing.
	minFloodRate = 0.95
)

// result is what one run has seen.
type result struct {
	quiet, known, flood phase
	asked, most         int64 // introspections during the flood, in all and at once
	// memory of the server: before the flood, when it had lasted a quarter of its time, and at its end.
	memoryBefore, memoryEarly, memoryAfter int64
}

// report prints what was seen. Its error names everything that does not hold.
func (r result) report(w io.Writer, o options) error {
	const mib = 1 << 20
	line := func(what string, p phase) {
		fmt.Fprintf(w, "%-34s %7d due, %d late; answered %s; p50 %v, p99 %v\n", what, p.due, p.late, statuses(p),
			p.p50.Round(10*time.Microsecond), p.p99.Round(10*time.Microsecond))
	}
	line("known tokens without a flood", r.quiet)
	line("known tokens during it", r.known)
	line("invented tokens", r.flood)
	kept := 0.0
	if quiet := r.quiet.rate(http.StatusOK); quiet > 0 {
		kept = r.known.rate(http.StatusOK) / quiet
	}
	came := float64(r.flood.due-r.flood.late) / r.flood.took.Seconds() / float64(o.garbage)
	growth := max(0, r.memoryAfter-r.memoryEarly)
	fmt.Fprintf(w, "known tokens kept %.3f of their rate (at least %.2f)\n", kept, minKeptRate)
	fmt.Fprintf(w, "the provider was asked %d times, at most %d at once (at most %d)\n", r.asked, r.most, maxAtOnce)
	fmt.Fprintf(w, "the server's memory: %d MiB before, %d early in the flood, %d at its end (at most %d more)\n",
		r.memoryBefore/mib, r.memoryEarly/mib, r.memoryAfter/mib, maxGrowthMiB)

	var missed []error
	must := func(holds bool, format string, args ...any) {
		if !holds {
			missed = append(missed, fmt.Errorf(format, args...))
		}
	}
	must(came >= minFloodRate, "only %.2f of the flood was sent: this machine is too slow or too busy to tell", came)
	must(kept >= minKeptRate, "known tokens kept %.3f of their rate", kept)
	must(r.most <= maxAtOnce, "the provider was asked %d things at once", r.most)
	must(growth <= maxGrowthMiB*mib, "the server's memory grew by %d MiB", growth/mib)
	must(r.flood.statuses[http.StatusOK] == 0, "%d invented tokens were let in", r.flood.statuses[http.StatusOK])
	must(r.flood.statuses[http.StatusServiceUnavailable] > 0, "no invented token met a limit")
	must(r.known.statuses[http.StatusUnauthorized]+r.known.statuses[http.StatusForbidden] == 0, "a known token was refused")
	return errors.Join(missed...)
}

func statuses(p phase) string {
	var texts []string
	for _, status := range slices.Sorted(maps.Keys(p.statuses)) {
		texts = append(texts, fmt.Sprintf("%d×%d", p.statuses[status], status))
	}
	return strings.Join(texts, " ")
}
