package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"text/tabwriter"
	"time"
)

// report is what a run says in the end, for people and for programs.
type report struct {
	Go       string    `json:"go"`
	Revision string    `json:"revision,omitempty"`
	CPUs     int       `json:"cpus"`
	Rounds   int       `json:"rounds"`
	Slice    string    `json:"slice"`
	Picture  int       `json:"picture_bytes"`
	Disk     float64   `json:"write_and_fdatasync_4k_us"`
	Rows     []row     `json:"rows"`
	Deletes  int       `json:"deletes"`
	Resident int64     `json:"resident_bytes"`
	Peak     int64     `json:"resident_peak_bytes"`
	Anon     int64     `json:"resident_anonymous_bytes"`
	Verdicts []verdict `json:"verdicts"`
}

// row is one cell: the medians, and what they were taken from.
type row struct {
	Form     form     `json:"form"`
	Callers  int      `json:"callers"`
	Target   target   `json:"target"`
	ByBare   *float64 `json:"calls_per_s_by_bare,omitempty"`
	PerCPU   *float64 `json:"calls_per_cpu_by_bare,omitempty"`
	Median   sample   `json:"median"`
	EachTurn []sample `json:"rounds"`
}

func newReport(o options, res *results) *report {
	var disk []float64
	for _, d := range res.disk {
		disk = append(disk, microseconds(d))
	}
	rep := &report{Go: runtime.Version(), CPUs: runtime.NumCPU(), Rounds: o.rounds, Slice: o.slice.String(), Picture: o.bytes,
		Disk: median(disk), Deletes: res.deletes, Resident: res.memory.Resident, Peak: res.memory.Peak,
		Anon: res.memory.Anonymous, Verdicts: res.verdicts()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				rep.Revision = s.Value
			}
		}
	}
	for _, f := range o.forms {
		for _, n := range o.callers {
			for _, t := range o.targets {
				at := cell{f, n, t}
				one := row{Form: f, Callers: n, Target: t, EachTurn: res.samples[at], Median: sample{
					Calls:     int(res.of(at, func(s sample) float64 { return float64(s.Calls) })),
					CallsPerS: res.of(at, callsPerS), P50: res.of(at, p50), P99: res.of(at, p99),
					CPU: res.of(at, cpu), CallerCPU: res.of(at, callerCPU),
					Allocs: res.of(at, allocs), SyncsPerCall: res.of(at, syncs),
					AllocBytes: res.of(at, func(s sample) float64 { return s.AllocBytes }),
				}}
				bare := cell{f, n, targetBare}
				if by := res.ratio(at, bare, callsPerS); !math.IsNaN(by) {
					one.ByBare = &by
				}
				if by := res.ratio(at, bare, perCPU); !math.IsNaN(by) {
					one.PerCPU = &by
				}
				rep.Rows = append(rep.Rows, one)
			}
		}
	}
	return rep
}

func (rep *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %d CPUs, %d rounds of %s, pictures of about %d bytes; 4 KB written and synced: %.0f µs\n",
		rep.Go, rep.CPUs, rep.Rounds, rep.Slice, rep.Picture, rep.Disk)
	fmt.Fprintln(w, `Medians over the rounds. CPU and allocations are those of one call. "by bare": calls/s by those of the bare handler in
the same round; "per CPU": likewise calls for the CPU time of server and callers, which other work on the machine changes
less: what calls/s come to where nothing but the CPUs is waited for.`)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\nform\tcallers\ttarget\tcalls/s\tby bare\tper CPU\tp50 ms\tp99 ms\tserver CPU µs\tcaller CPU µs\tallocs\tkB\tdeletes/sync\t")
	for i, r := range rep.Rows {
		if i > 0 && r.Callers != rep.Rows[i-1].Callers {
			fmt.Fprintln(tw, "\t\t\t\t\t\t\t\t\t\t\t\t\t")
		}
		perSync := "-"
		if r.Median.SyncsPerCall > 0 {
			perSync = fmt.Sprintf("%.1f", 1/r.Median.SyncsPerCall)
		}
		m := r.Median
		fmt.Fprintf(tw, "%s\t%d\t%s\t%.0f\t%s\t%s\t%.3f\t%.3f\t%.1f\t%.1f\t%.0f\t%.1f\t%s\t\n", r.Form, r.Callers, r.Target,
			m.CallsPerS, ratio(r.ByBare), ratio(r.PerCPU), m.P50/1e3, m.P99/1e3, m.CPU, m.CallerCPU, m.Allocs, m.AllocBytes/1e3, perSync)
	}
	_ = tw.Flush()
	if rep.Deletes > 0 {
		fmt.Fprintf(w, "\nembedded after %d deletes: %.1f MB resident, %.1f MB of it not from the program's file; %.1f MB at most\n",
			rep.Deletes, float64(rep.Resident)/1e6, float64(rep.Anon)/1e6, float64(rep.Peak)/1e6)
	}
	fmt.Fprintln(w)
	for _, v := range rep.Verdicts {
		fmt.Fprintln(w, v)
	}
}

func ratio(by *float64) string {
	if by == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *by)
}

// writeJSON writes the report, with the figures of every round.
func (rep *report) writeJSON(file string) error {
	text, err := json.MarshalIndent(struct {
		Time time.Time `json:"time"`
		*report
	}{time.Now().UTC(), rep}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
