package main

import (
	"math"
	"slices"
	"time"
)

// cell is one thing that is measured once a round.
type cell struct {
	Form    form
	Callers int
	Target  target
}

// sample is one slice of a cell. Times are in microseconds.
type sample struct {
	Calls         int     `json:"calls"`
	CallsPerS     float64 `json:"calls_per_s"`
	P50           float64 `json:"p50_us"`
	P99           float64 `json:"p99_us"`
	CPU           float64 `json:"server_cpu_us_per_call"`
	CallerCPU     float64 `json:"caller_cpu_us_per_call"`
	Allocs        float64 `json:"allocs_per_call"`
	AllocBytes    float64 `json:"alloc_bytes_per_call"`
	SyncsPerCall  float64 `json:"syncs_per_call"`
	Syncs, Erased int64   `json:"-"`
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// newSample puts together what the server used from before to after and what the callers saw.
func newSample(before, after usage, seen sliceResult) sample {
	calls := float64(seen.Calls)
	return sample{
		Calls:        seen.Calls,
		CallsPerS:    calls / seen.Elapsed.Seconds(),
		P50:          microseconds(seen.P50),
		P99:          microseconds(seen.P99),
		CPU:          microseconds(after.CPU-before.CPU) / calls,
		CallerCPU:    microseconds(seen.CPU) / calls,
		Allocs:       float64(after.Objects-before.Objects) / calls,
		AllocBytes:   float64(after.Bytes-before.Bytes) / calls,
		SyncsPerCall: float64(after.Syncs-before.Syncs) / calls,
		Syncs:        after.Syncs - before.Syncs,
		Erased:       after.SlabWrites - before.SlabWrites,
	}
}

// results are the samples of all rounds.
type results struct {
	samples map[cell][]sample // by round
	disk    []time.Duration   // by round: 4 KB written and synced
	deletes int               // on the embedded engine
	memory  usage             // after them
}

// median returns the middle of some values, the mean of two when their number is even, NaN for none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// of returns the median over the rounds of one figure of a cell.
func (r *results) of(at cell, figure func(sample) float64) float64 {
	var values []float64
	for _, s := range r.samples[at] {
		values = append(values, figure(s))
	}
	return median(values)
}

// ratio returns the median over the rounds of a figure of one cell by that of another in the same round.
func (r *results) ratio(at, by cell, figure func(sample) float64) float64 {
	var values []float64
	for round, s := range r.samples[at] {
		if round < len(r.samples[by]) {
			values = append(values, figure(s)/figure(r.samples[by][round]))
		}
	}
	return median(values)
}

// Figures of a sample.
func callsPerS(s sample) float64 { return s.CallsPerS }
func p50(s sample) float64       { return s.P50 }
func p99(s sample) float64       { return s.P99 }
func cpu(s sample) float64       { return s.CPU }
func perCPU(s sample) float64    { return 1 / (s.CPU + s.CallerCPU) } // calls for a microsecond of both processes
func callerCPU(s sample) float64 { return s.CallerCPU }
func allocs(s sample) float64    { return s.Allocs }
func syncs(s sample) float64     { return s.SyncsPerCall }
