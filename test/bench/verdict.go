package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// What must hold. The ratios are those of a machine that does other work, too; absolute limits there are only for
// memory, and for the one caller, whose limit is made of times measured in the same run.
const (
	minRESTRate       = 0.25 // of the bare handler, 16 callers
	minGRPCRate       = 0.45 // of the bare handler, 16 callers
	minDeletesPerSync = 12   // 128 callers
	maxRESTCPU        = 1.25 // of Connect with JSON, 16 callers
	maxResident       = 80e6 // bytes
	maxExtraSyncs     = 4    // one caller over REST: so many times 4 KB written and synced ...
	maxExtra          = 300  // ... and so many microseconds above the bare handler
)

// verdict compares one figure with its limit.
type verdict struct {
	Name  string `json:"name"`
	Value figure `json:"value"` // null when it was not measured
	Limit figure `json:"limit"`
	// Floor: the value must not be below the limit; otherwise not above it.
	Floor bool `json:"floor"`
	// OK is false, too, when the figure was not measured.
	OK bool `json:"ok"`
}

// figure is a number that may be missing (NaN), which JSON has no number for.
type figure float64

// MarshalJSON implements json.Marshaler.
func (f figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

func newVerdict(name string, value, limit float64, floor bool) verdict {
	v := verdict{Name: name, Value: figure(value), Limit: figure(limit), Floor: floor, OK: value <= limit}
	if floor {
		v.OK = value >= limit
	}
	return v
}

func (v verdict) String() string {
	word, relation := "ok    ", "at most"
	if v.Floor {
		relation = "at least"
	}
	if !v.OK {
		word = "MISSED"
	}
	if math.IsNaN(float64(v.Value)) {
		return fmt.Sprintf("%s %s: not measured", word, v.Name)
	}
	return fmt.Sprintf("%s %s: %.4g (%s %.4g)", word, v.Name, v.Value, relation, v.Limit)
}

// verdicts looks at everything that must hold.
func (r *results) verdicts() []verdict {
	rate := func(f form) float64 {
		return r.ratio(cell{f, 16, targetEmbedded}, cell{f, 16, targetBare}, callsPerS)
	}
	resident := math.NaN()
	if r.deletes > 0 && r.memory.Resident > 0 {
		resident = float64(r.memory.Resident) / 1e6
	}
	extra, allowed := r.loneCaller()
	return []verdict{
		newVerdict("REST, 16 callers, calls/s by bare", rate(formREST), minRESTRate, true),
		newVerdict("gRPC, 16 callers, calls/s by bare", rate(formGRPC), minGRPCRate, true),
		newVerdict("REST, one caller, p50 above bare, µs", extra, allowed, false),
		newVerdict("128 callers, deletes per sync, the worst form", r.deletesPerSync(128), minDeletesPerSync, true),
		newVerdict("REST by Connect JSON, 16 callers, server CPU without storage",
			r.ratio(cell{formREST, 16, targetNoop}, cell{formConnectJSON, 16, targetNoop}, cpu), maxRESTCPU, false),
		newVerdict(fmt.Sprintf("resident memory after %d deletes, MB", r.deletes), resident, maxResident/1e6, false),
	}
}

// loneCaller returns how much longer a delete of one caller takes than a call of the bare handler, and how much longer
// it may take, in microseconds.
func (r *results) loneCaller() (extra, allowed float64) {
	var extras, limits []float64
	bare := r.samples[cell{formREST, 1, targetBare}]
	for round, s := range r.samples[cell{formREST, 1, targetEmbedded}] {
		if round < len(bare) {
			extras = append(extras, s.P50-bare[round].P50)
			limits = append(limits, maxExtra+maxExtraSyncs*microseconds(r.disk[round]))
		}
	}
	return median(extras), median(limits)
}

// deletesPerSync returns the smallest of all wire forms that were measured with so many callers.
func (r *results) deletesPerSync(callers int) float64 {
	worst := math.NaN()
	for _, f := range allForms() {
		if n := 1 / r.of(cell{f, callers, targetEmbedded}, syncs); math.IsNaN(worst) || n < worst {
			worst = n
		}
	}
	return worst
}

// missed returns an error that names the verdicts that do not hold.
func missed(all []verdict) error {
	var lines []string
	for _, v := range all {
		if !v.OK {
			lines = append(lines, v.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}
