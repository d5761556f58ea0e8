package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// report is what a run has shown.
type report struct {
	Histories   int `json:"histories"`
	Operations  int `json:"operations"`
	Shortest    int `json:"operations_of_the_shortest_history"`
	Kills       int `json:"kills"`
	FewestKills int `json:"kills_in_the_calmest_history"`
	tally
	Open         int     `json:"open_outcomes"`
	OpenDone     int     `json:"open_uploads_seen_done"`
	MostOpen     int     `json:"most_open_outcomes_of_a_user"`
	Erased       int     `json:"users_erased"`
	Readmitted   int     `json:"users_readmitted"`
	Refused      int     `json:"changes_refused"`
	Dropped      int     `json:"reads_without_an_answer"`
	LongestCheck float64 `json:"longest_check_seconds"`
	Seconds      float64 `json:"seconds"`
	Seed         uint64  `json:"seed"`
}

func (r *report) add(h recorded, v verdict) {
	if r.Histories == 0 {
		r.Shortest, r.FewestKills = len(h.operations), h.kills.total()
		r.Failpoints = make(map[string]int)
	}
	r.Histories++
	r.Operations += len(h.operations)
	r.Shortest = min(r.Shortest, len(h.operations))
	r.Kills += h.kills.total()
	r.FewestKills = min(r.FewestKills, h.kills.total())
	r.Outside += h.kills.Outside
	r.Starting += h.kills.Starting
	r.Database += h.kills.Database
	r.Gateway += h.kills.Gateway
	for name, n := range h.kills.Failpoints {
		r.Failpoints[name] += n
	}
	r.Open += h.open
	r.OpenDone += h.openDone()
	for _, op := range h.operations {
		in, out := op.Input.(call), op.Output.(outcome)
		switch {
		case out.Refused:
			r.Refused++
		case out.Created:
			r.Readmitted++
		case in.Kind == erase && !out.Open:
			r.Erased++
		}
	}
	r.MostOpen = max(r.MostOpen, h.mostOpen)
	r.Dropped += h.dropped
	r.LongestCheck = max(r.LongestCheck, v.took.Seconds())
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%d histories, all linearizable: %d operations, at least %d in each; %.0f s, seed %d\n",
		r.Histories, r.Operations, r.Shortest, r.Seconds, r.Seed)
	if r.Database > 0 {
		fmt.Fprintf(w, "%d kills, at least %d in each: %d of replicas, %d of PostgreSQL, %d of the S3 server\n", r.Kills, r.FewestKills, r.Outside, r.Database, r.Gateway)
	} else {
		fmt.Fprintf(w, "%d kills, at least %d in each: %d from outside, %d while starting, %d at %d failpoints\n",
			r.Kills, r.FewestKills, r.Outside, r.Starting, r.Kills-r.Outside-r.Starting, len(r.Failpoints))
	}
	fmt.Fprintf(w, "%d answered erasures of users, %d readmissions, %d uploads and deletes refused in between\n", r.Erased, r.Readmitted, r.Refused)
	fmt.Fprintf(w, "open outcomes: %d, at most %d of a user, %d of them uploads that were seen to be done; reads without an answer, left out: %d; longest check: %.3f s\n",
		r.Open, r.MostOpen, r.OpenDone, r.Dropped, r.LongestCheck)
}

// openDone counts the open uploads whose picture was seen.
func (h recorded) openDone() (done int) {
	seen := make(map[int]bool)
	for _, op := range h.operations {
		seen[op.Output.(outcome).Picture] = true
	}
	for _, op := range h.operations {
		if in := op.Input.(call); in.Kind == upload && op.Output.(outcome).Open && seen[in.Picture] {
			done++
		}
	}
	return done
}

func (r *report) save(file string) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// verdict is nil when the history is fine. Else it is written to dir, with a drawing.
func (h recorded) verdict(v verdict, dir string) error {
	var faults []error
	for _, text := range h.wrong[:min(len(h.wrong), maxTold)] {
		faults = append(faults, fmt.Errorf("wrong answer: %s", text))
	}
	switch v.result {
	case porcupine.Ok:
	case porcupine.Unknown:
		faults = append(faults, fmt.Errorf("the check took over %v", checkLimit))
	case porcupine.Illegal:
		faults = append(faults, errors.New("not linearizable: no order of the calls explains all answers"))
	}
	if len(faults) == 0 {
		return nil
	}
	faults = append([]error{fmt.Errorf("history %d, with %d kills; to record one of the same plan: -histories 1 -seed %d", h.seed, h.kills.total(), h.seed)}, faults...)
	return errors.Join(append(faults, h.write(dir, &v))...)
}

const maxTold = 10

// line is one operation as it is written down.
type line struct {
	Client int     `json:"client"`
	Call   int64   `json:"begin"`
	Return int64   `json:"end"`
	In     call    `json:"call"`
	Out    outcome `json:"outcome"`
}

// write puts the history into dir, and a drawing of it with the longest explanations that there are.
func (h recorded) write(dir string, v *verdict) error {
	file, err := os.Create(filepath.Join(dir, fmt.Sprintf("history-%d.jsonl", h.seed)))
	if err != nil {
		return err
	}
	out := json.NewEncoder(file)
	for _, op := range h.operations {
		if err := out.Encode(line{op.ClientId, op.Call, op.Return, op.Input.(call), op.Output.(outcome)}); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	if err := file.Close(); err != nil || v == nil || v.result == porcupine.Ok {
		return err
	}
	_, info := porcupine.CheckOperationsVerbose(model(), h.operations, drawLimit)
	return porcupine.VisualizePath(model(), info, filepath.Join(dir, fmt.Sprintf("history-%d.html", h.seed)))
}

// drawLimit bounds the second check, which collects what a drawing needs.
const drawLimit = 2 * time.Minute
