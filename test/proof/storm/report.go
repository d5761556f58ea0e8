package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// figures count what callers were told and saw.
type figures struct {
	changes, reads, busy, busyReads, unanswered, looks atomic.Int64
	longest                                            atomic.Int64 // nanoseconds of a call that was answered

	mu      sync.Mutex
	excused map[string]int // objects that may be listed, by kind
}

// excuse counts an object that is listed and may be.
func (f *figures) excuse(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.excused == nil {
		f.excused = map[string]int{}
	}
	f.excused[kind]++
}

// took notes how long a call took.
func (f *figures) took(d time.Duration) {
	for {
		longest := f.longest.Load()
		if int64(d) <= longest || f.longest.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

// report is what a storm has shown.
type report struct {
	Seconds    float64        `json:"seconds"`
	Kills      kills          `json:"kills"`
	Database   map[string]int `json:"faults_before_the_database"`
	Gateway    map[string]int `json:"faults_before_the_s3_server"`
	Changes    int64          `json:"changes_acknowledged"`
	Reads      int64          `json:"reads"`
	WrongReads int            `json:"wrong_reads"`
	Looks      int64          `json:"looks_after_a_200"`
	Listed     int            `json:"listed_after_a_200"`
	Excused    map[string]int `json:"listed_as_they_may_be"`
	Busy       int64          `json:"calls_told_to_try_again"`
	Unanswered int64          `json:"changes_without_answer"`
	Longest    float64        `json:"longest_call_seconds"`
	Violations []violation    `json:"violations,omitempty"`
}

func (w *world) report(k kills, took time.Duration) report {
	count := func(p *proxy) map[string]int {
		all := map[string]int{}
		for f, n := range p.struck() {
			if fault(f) != pass {
				all[fault(f).String()] = n
			}
		}
		return all
	}
	f := &w.figures
	return report{
		Seconds: took.Seconds(), Kills: k, Database: count(w.database), Gateway: count(w.gateway),
		Changes: f.changes.Load(), Reads: f.reads.Load(), WrongReads: w.violations.of(wrong) + w.violations.of(damaged),
		Looks: f.looks.Load(), Listed: w.violations.of(remains), Excused: f.excused,
		Busy: f.busy.Load() + f.busyReads.Load(), Unanswered: f.unanswered.Load(), Longest: time.Duration(f.longest.Load()).Seconds(),
		Violations: w.violations.list,
	}
}

func (r report) print(w io.Writer) {
	fmt.Fprintf(w, "%.0f s, %d kills: %d of replicas, %d of PostgreSQL, %d of the S3 server; faults of the network: %v before PostgreSQL, %v before the S3 server\n",
		r.Seconds, r.Kills.all(), r.Kills.Replica, r.Kills.Database, r.Kills.Gateway, r.Database, r.Gateway)
	fmt.Fprintf(w, "changes acknowledged: %d; told to try again: %d; without an answer: %d; longest call: %.1f s\n", r.Changes, r.Busy, r.Unanswered, r.Longest)
	fmt.Fprintf(w, "reads: %d, wrong: %d; looks into the bucket after a 200: %d, listed: %d\n",
		r.Reads, r.WrongReads, r.Looks, r.Listed)
	for _, kind := range slices.Sorted(maps.Keys(r.Excused)) {
		fmt.Fprintf(w, "listed as it may be: %d × %s\n", r.Excused[kind], kind)
	}
}

// save writes the figures to a file, "" = none.
func (r report) save(file string) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// tell prints what is needed to understand an object that is listed and may be.
func (w *world) tell(p *person, kind string, v object) {
	if w.trace == nil {
		return
	}
	var text strings.Builder
	fmt.Fprintf(&text, "LISTED: %s: %+v, whose PUT went %q\n", kind, v, w.requests.storyOf(v.name))
	for _, line := range p.notes[max(0, len(p.notes)-12):] {
		fmt.Fprintf(&text, "    %s\n", line)
	}
	_, _ = io.WriteString(w.trace, text.String())
}
