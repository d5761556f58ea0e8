package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// report is what a run has shown.
type report struct {
	Kills int `json:"kills"`
	tally
	Seed            uint64         `json:"seed"`
	Directories     int            `json:"data_directories"`
	Deletes         int64          `json:"deletes_acknowledged"`
	Ends            int64          `json:"ends_acknowledged"` // among the deletes
	Uploads         int64          `json:"uploads_acknowledged"`
	Reads           int64          `json:"reads_answered"`
	Unanswered      int64          `json:"calls_without_answer"`
	Busy            int64          `json:"calls_told_to_try_again"`
	Seconds         float64        `json:"seconds"`
	Violations      map[string]int `json:"violations"`
	FirstViolations []violation    `json:"first_violations,omitempty"`
}

// report returns the figures and writes them to the file that the options name.
func (h *harness) report(o options) (report, error) {
	r := report{Kills: h.kills(), tally: h.tally, Seed: o.seed, Directories: h.testbeds,
		Deletes: h.figures.Deletes.Load(), Ends: h.figures.Ends.Load(), Uploads: h.figures.Uploads.Load(), Reads: h.figures.Reads.Load(),
		Unanswered: h.figures.Unanswered.Load(), Busy: h.figures.Busy.Load(), Seconds: time.Since(h.began).Seconds(),
		Violations: make(map[string]int), FirstViolations: h.violations.list}
	for _, kind := range []string{undone, lost, revived, damaged, remains, receipt, answer, unready, unclean} {
		r.Violations[kind] = h.violations.count[kind]
	}
	if o.json == "" {
		return r, nil
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return r, err
	}
	return r, os.WriteFile(o.json, append(text, '\n'), 0o644)
}

func (r report) print(w io.Writer) {
	atFailpoints, least := 0, -1
	for _, name := range failpoints() {
		n := r.tally.Failpoints[name]
		if atFailpoints += n; least < 0 || n < least {
			least = n
		}
	}
	fmt.Fprintf(w, "%d kills: %d under load, %d while starting, %d while stopping, %d at %d failpoints, each at least %d times; %d data directories, %.0f s, seed %d\n",
		r.Kills, r.Underway, r.Starting, r.Stopping, atFailpoints, len(failpoints()), max(0, least), r.Directories, r.Seconds, r.Seed)
	fmt.Fprintf(w, "acknowledged: %d deletes, %d of them with the user, %d uploads; reads: %d; without an answer: %d; told to try again: %d\n",
		r.Deletes, r.Ends, r.Uploads, r.Reads, r.Unanswered, r.Busy)
	fmt.Fprintf(w, "deletes undone: %d, ends undone: %d, uploads lost: %d, pictures damaged: %d, byte-search hits: %d, orphans and stuck: %d, wrong receipts: %d, wrong answers: %d\n",
		r.Violations[undone], r.Violations[revived], r.Violations[lost], r.Violations[damaged], r.Violations[remains],
		r.Violations[unclean]+r.Violations[unready], r.Violations[receipt], r.Violations[answer])
}

// verdict is nil when nothing was wrong and every failpoint was passed that the run had to pass.
func (h *harness) verdict(out io.Writer, o options) error {
	if h.violations.any() {
		h.violations.tell(out)
		return fmt.Errorf("the promise was broken; to see it again: -seed %d -kills %d", o.seed, h.kills())
	}
	var seldom []string
	for _, name := range h.seldom() {
		seldom = append(seldom, fmt.Sprintf("%s (%d)", name, h.tally.Failpoints[name]))
	}
	if len(seldom) > 0 {
		return fmt.Errorf("failpoints that did not kill %d times: %s", h.least, strings.Join(seldom, ", "))
	}
	return nil
}
