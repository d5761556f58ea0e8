package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 4}, 4},
		{[]float64{8, 1, 2, 4}, 3},
	} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median(nil) = %v, want NaN", got)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, tt := range []struct {
		sorted []time.Duration
		p      int
		want   time.Duration
	}{
		{hundred, 50, 50}, {hundred, 99, 99}, {hundred[:1], 99, 1}, {hundred[:3], 50, 2}, {hundred[:10], 99, 10},
	} {
		if got := percentile(tt.sorted, tt.p); got != tt.want {
			t.Errorf("percentile(1 to %d, %d) = %d, want %d", len(tt.sorted), tt.p, got, tt.want)
		}
	}
}

// The ratio is that of slices which ran next to each other, not that of the medians: here the machine is ten times
// slower in two rounds of three.
func TestRatioIsPerRound(t *testing.T) {
	a, b := cell{formREST, 16, targetEmbedded}, cell{formREST, 16, targetBare}
	r := &results{samples: map[cell][]sample{
		a: {{CallsPerS: 30}, {CallsPerS: 4}, {CallsPerS: 5}},
		b: {{CallsPerS: 100}, {CallsPerS: 10}, {CallsPerS: 10}},
	}}
	if got := r.ratio(a, b, callsPerS); got != 0.4 {
		t.Errorf("ratio = %v, want 0.4", got)
	}
}

// good returns results in which everything holds, each figure just so.
func good() *results {
	r := &results{
		samples: make(map[cell][]sample),
		disk:    []time.Duration{100 * time.Microsecond},
		deletes: 100_000, memory: usage{Resident: 80e6},
	}
	put := func(f form, callers int, t target, s sample) { r.samples[cell{f, callers, t}] = []sample{s} }
	for _, f := range allForms() {
		put(f, 16, targetBare, sample{CallsPerS: 1000})
		put(f, 16, targetNoop, sample{CPU: 80})
		put(f, 128, targetEmbedded, sample{SyncsPerCall: 1. / 12})
	}
	put(formREST, 16, targetNoop, sample{CPU: 100})
	put(formREST, 16, targetEmbedded, sample{CallsPerS: 250})
	put(formGRPC, 16, targetEmbedded, sample{CallsPerS: 450})
	put(formREST, 1, targetBare, sample{P50: 60})
	put(formREST, 1, targetEmbedded, sample{P50: 60 + 4*100 + 300})
	return r
}

func TestVerdicts(t *testing.T) {
	if err := missed(good().verdicts()); err != nil {
		t.Errorf("with every figure at its limit: %v", err)
	}
	for _, tt := range []struct {
		name  string
		spoil func(*results)
		want  string
	}{
		{"REST is slow", func(r *results) { r.samples[cell{formREST, 16, targetEmbedded}][0].CallsPerS = 249 }, "REST, 16"},
		{"gRPC is slow", func(r *results) { r.samples[cell{formGRPC, 16, targetEmbedded}][0].CallsPerS = 449 }, "gRPC, 16"},
		{"one caller waits", func(r *results) { r.samples[cell{formREST, 1, targetEmbedded}][0].P50 = 761 }, "one caller"},
		{"one form shares no syncs", func(r *results) { r.samples[cell{formGRPCWeb, 128, targetEmbedded}][0].SyncsPerCall = 0.1 }, "per sync"},
		{"the adapter is dear", func(r *results) { r.samples[cell{formREST, 16, targetNoop}][0].CPU = 101 }, "CPU"},
		{"memory grows", func(r *results) { r.memory.Resident = 81e6 }, "resident"},
		{"gRPC was not measured", func(r *results) { delete(r.samples, cell{formGRPC, 16, targetBare}) }, "not measured"},
		{"memory was not measured", func(r *results) { r.deletes = 0 }, "not measured"},
	} {
		r := good()
		tt.spoil(r)
		err := missed(r.verdicts())
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: missed = %v, want one line with %q", tt.name, err, tt.want)
		}
	}
}
