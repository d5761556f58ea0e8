package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"example.org/avatard/test/client"
)

var (
	anUpload = call{Kind: upload, User: "a", Picture: 7, Asked: none}
	aDelete  = call{Kind: remove, User: "a", Picture: none, Asked: none}
	aRead    = call{Kind: read, User: "a", Picture: none, Asked: none}
)

// An open change ends with the restart and not before; a read without an answer is left out.
func TestRecorder(t *testing.T) {
	r := newRecorder()
	begin := func(in call) int {
		id, ok := r.begin(0, in)
		if !ok {
			t.Fatalf("%v is refused", in)
		}
		return id
	}
	opened, dropped := begin(anUpload), begin(aRead)
	r.unanswered(opened)
	r.unanswered(dropped)
	r.answered(begin(aDelete), outcome{Sequence: 2, Picture: none})
	if n := len(r.history()); n != 1 {
		t.Errorf("%d calls before the restart, want 1", n)
	}
	r.restarted()
	r.answered(begin(aRead), outcome{Picture: none})
	var got []line
	for _, op := range r.history() {
		got = append(got, line{op.ClientId, op.Call, op.Return, op.Input.(call), op.Output.(outcome)})
	}
	want := []line{
		{1, 1, 5, anUpload, outcome{Open: true, Picture: none}},
		{0, 3, 4, aDelete, outcome{Sequence: 2, Picture: none}},
		{0, 6, 7, aRead, outcome{Picture: none}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("history = %+v\nwant %+v", got, want)
	}
	if r.opened != 1 || r.dropped != 1 || r.length() != 3 {
		t.Errorf("%d open, %d dropped, %d calls", r.opened, r.dropped, r.length())
	}
}

// No user gets more open outcomes than a check can bear, however the calls under way end.
func TestRecorderBoundsOpenOutcomes(t *testing.T) {
	r := newRecorder()
	var under []int
	for range maxOpen {
		id, ok := r.begin(0, aDelete)
		if !ok {
			t.Fatal("refused too early")
		}
		under = append(under, id)
	}
	if _, ok := r.begin(0, anUpload); ok {
		t.Error("one more change may become open than is allowed")
	}
	if _, ok := r.begin(0, aRead); !ok {
		t.Error("a read is refused")
	}
	if _, ok := r.begin(0, call{Kind: remove, User: "b"}); !ok {
		t.Error("another user's change is refused")
	}
	r.answered(under[0], outcome{})
	id, ok := r.begin(0, anUpload)
	if !ok {
		t.Fatal("refused although one was answered")
	}
	r.unanswered(id)
	r.restarted()
	if _, ok := r.begin(0, anUpload); ok {
		t.Error("the restart has made room: the history holds the open outcome still")
	}
	if most := r.mostOpen(); most != maxOpen {
		t.Errorf("most open outcomes = %d", most)
	}
}

// Equal seeds give equal plans, no picture is in two of them, and a plan has everything in it.
func TestPlan(t *testing.T) {
	const count = 120
	uploaded := make(map[int]bool)
	for caller := range clients {
		p, again := newPlan(5, caller, count, client.Forms()), newPlan(5, caller, count, client.Forms())
		seen := make(map[kind]int)
		leaves := 0
		for range 500 {
			s := p.next()
			if s != again.next() {
				t.Fatal("another plan the second time")
			}
			if seen[s.kind]++; s.patience > 0 {
				leaves++
			}
			if s.kind == upload {
				if uploaded[s.picture] || s.picture < people {
					t.Fatalf("picture %d is uploaded twice", s.picture)
				}
				uploaded[s.picture] = true
			}
		}
		if seen[upload] != (count-people)/clients || seen[remove] == 0 || seen[read] == 0 || seen[erase] == 0 || seen[readmit] == 0 || leaves != maxLeaves {
			t.Errorf("client %d: %v, leaves %d times", caller, seen, leaves)
		}
	}
}

// All calls of a history are dealt to the times between its kills; histories go through all failpoints.
func TestCrashes(t *testing.T) {
	passed := make(map[string]int)
	for seed := range uint64(100) {
		list, reached := crashes(seed, 1000, 4), 0
		for i, c := range list {
			if c.calls < reached+50 {
				t.Errorf("seed %d: %d calls before a kill", seed, c.calls-reached)
			}
			if reached = c.calls; (c.failpoint == "") != (i == 0 || i == len(list)-1) {
				t.Errorf("seed %d: kill %d is at failpoint %q", seed, i, c.failpoint)
			}
			passed[c.failpoint]++
			passed[c.recovery]++
		}
		if reached != 1000 || len(list) != 4 || !reflect.DeepEqual(list, crashes(seed, 1000, 4)) {
			t.Errorf("seed %d: %v", seed, list)
		}
	}
	for _, name := range failpoints("reserve", "activate", "erase", "upload", "remove", "watermark", "recover", "sweep") {
		if passed[name] == 0 {
			t.Errorf("no history is killed at %s", name)
		}
	}
}

// A history that nothing explains is told with the way to see it again, and drawn.
func TestVerdict(t *testing.T) {
	h := recorded{seed: 9, kills: tally{Outside: 3}, operations: []porcupine.Operation{
		{Input: anUpload, Output: outcome{Sequence: 2, Picture: none}, Call: 1, Return: 2},
		{Input: aRead, Output: outcome{Picture: none}, Call: 3, Return: 4},
	}}
	dir := t.TempDir()
	err := h.verdict(judge(h.operations), dir)
	if err == nil || !strings.Contains(err.Error(), "not linearizable") || !strings.Contains(err.Error(), "-seed 9") {
		t.Errorf("verdict = %v", err)
	}
	for _, name := range []string{"history-9.jsonl", "history-9.html"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), "upload") {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	fine := recorded{operations: h.operations[:1]}
	if err := fine.verdict(judge(fine.operations), dir); err != nil {
		t.Errorf("verdict of a good history = %v", err)
	}
	fine.wrong = []string{"status 500"}
	if err := fine.verdict(judge(fine.operations), dir); err == nil {
		t.Error("a wrong answer is no fault")
	}
}
