package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// What must hold beside every attack.
const (
	minKept = 0.8 // of the quiet rate of each victim
	maxSlow = 3.0 // times the quiet percentile
	// leastTime: a quiet percentile counts as this at least, and as that of the bystander during the attack: the
	// machine may have other things to do.
	leastTime = 15 * time.Millisecond
	// leastTimeShort is for the short form, where there is no median.
	leastTimeShort = 50 * time.Millisecond
	// maxMemoryMiB is what docs/operating.md promises.
	maxMemoryMiB = 384
	// percent is the percentile that counts. In the short form a victim makes thirty calls: 99 of 100 would be all of them.
	percent, percentShort = 99, 90
	// maxProcessors is how much of a processor an attack may cost the server. It would not show in the other figures on a
	// machine with many, nor beside a bystander that is as slow.
	maxProcessors = 0.5
	// maxLogBytes a second may an attack add, in all.
	maxLogBytes = 16 << 10
	// maxDiskBytes may the data directory grow by in one slice.
	maxDiskBytes = 8 << 20
)

// result is what the rounds of one attack have seen.
type result struct {
	attack attack
	rounds []round
}

// victimResult is how one victim fared, in the median of the rounds.
type victimResult struct {
	kept        float64 // of its quiet rate
	quiet, tail time.Duration
	machine     time.Duration // that of the bystander meanwhile
	slow        float64       // tail, as a multiple of the quiet one
}

func (r result) victim(i int, least time.Duration) (v victimResult) {
	v.kept = median(r.rounds, func(r round) float64 {
		if quiet := r.quiet[i].kept(); quiet > 0 {
			return r.siege[i].kept() / quiet
		}
		return 0
	})
	v.quiet = median(r.rounds, func(r round) time.Duration { return r.quiet[i].tail })
	v.tail = median(r.rounds, func(r round) time.Duration { return r.siege[i].tail })
	v.slow = median(r.rounds, func(r round) float64 {
		return float64(r.siege[i].tail) / float64(max(r.quiet[i].tail, machine(r.siege, i), least))
	})
	v.machine = median(r.rounds, func(r round) time.Duration { return machine(r.siege, i) })
	return v
}

func median[T cmp.Ordered](rounds []round, of func(round) T) T {
	values := make([]T, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// The figures that have no quiet counterpart are the worst of all rounds.
func (r result) memory() (most int64) {
	for _, round := range r.rounds {
		most = max(most, round.memory)
	}
	return most
}

func (r result) log() (most float64) {
	for _, round := range r.rounds {
		most = max(most, round.siegeRate.log-round.quietRate.log)
	}
	return most
}

// processors is what the attack has cost the server, in the median.
func (r result) processors() float64 {
	return median(r.rounds, func(r round) float64 { return max(0, r.siegeRate.cpu-r.quietRate.cpu) })
}

func (r result) disk() (most int64) {
	for _, round := range r.rounds {
		most = max(most, round.siegeDisk-round.quietDisk)
	}
	return most
}

// missed names what does not hold.
func (r result) missed(o options) (faults []string) {
	must := func(holds bool, format string, args ...any) {
		if !holds {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	must(!slices.ContainsFunc(r.rounds, func(r round) bool { return r.ended }), "the server ended")
	must(r.memory() <= int64(o.memory)<<20, "%d MiB of memory", r.memory()>>20)
	must(r.processors() <= maxProcessors, "%.2f processors", r.processors())
	must(r.log() <= maxLogBytes, "%.0f bytes of log a second", r.log())
	must(r.disk() <= maxDiskBytes, "%d KiB more on disk", r.disk()>>10)
	for i, name := range victimNames {
		v := r.victim(i, o.least)
		must(v.kept >= minKept, "%s kept %.2f of its rate", name, v.kept)
		must(v.slow <= maxSlow, "%s took %.1f times as long", name, v.slow)
	}
	return faults
}

// lines says how one attack went, for those who wait.
func (r result) lines(o options) string {
	var b strings.Builder
	var tries, sent, received int64
	for _, round := range r.rounds {
		tries, sent, received = tries+round.toll.Tries, sent+round.toll.Sent, received+round.toll.Received
	}
	fmt.Fprintf(&b, "%s: %s\n  %d tries, %d KiB sent, %d KiB received\n", r.attack.name, r.attack.about, tries, sent>>10, received>>10)
	for i, name := range victimNames {
		v := r.victim(i, o.least)
		fmt.Fprintf(&b, "  %-7s kept %.2f of its rate, percentile %d %v → %v (bystander %v)\n", name, v.kept, o.percent, shortTime(v.quiet), shortTime(v.tail), shortTime(v.machine))
	}
	return b.String()
}

func shortTime(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// report prints the table. Its error names everything that does not hold.
func report(w io.Writer, o options, results []result) error {
	fmt.Fprintf(w, "\n%-12s %7s %5s", "attack", "memory", "cpu")
	for _, name := range victimNames {
		fmt.Fprintf(w, "  %14s", name)
	}
	fmt.Fprintf(w, "  %9s %9s  %s\n", "log", "disk", "verdict")
	var missed []error
	for _, r := range results {
		fmt.Fprintf(w, "%-12s %3d MiB %5.2f", r.attack.name, r.memory()>>20, r.processors())
		for i := range victimNames {
			v := r.victim(i, o.least)
			fmt.Fprintf(w, "  %.2f %6.1f×  ", v.kept, v.slow)
		}
		faults := r.missed(o)
		verdict := "holds"
		if len(faults) > 0 {
			verdict = strings.Join(faults, ", ")
			missed = append(missed, fmt.Errorf("%s: %s", r.attack.name, verdict))
		}
		fmt.Fprintf(w, "  %5.1f KB/s %5d KiB  %s\n", r.log()/1e3, r.disk()>>10, verdict)
	}
	fmt.Fprintf(w, "Per victim: share of its quiet rate (at least %.1f), percentile %d of the time to an answer as a multiple of the quiet one (at most %.0f×; %v and less "+
		"count as %v).\n", minKept, o.percent, maxSlow, o.least, o.least)
	return errors.Join(missed...)
}
