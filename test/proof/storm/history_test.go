package main

import (
	"slices"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	for name, row := range map[string]struct {
		do   func(h *history)
		want []int
	}{
		"an upload":                     {func(h *history) { h.acknowledged(1, start) }, []int{1}},
		"a delete":                      {func(h *history) { h.acknowledged(1, start); h.acknowledged(none, start) }, []int{none}},
		"a delete that failed":          {func(h *history) { h.acknowledged(1, start); h.failed(none) }, []int{none, 1}},
		"one after a failure":           {func(h *history) { h.acknowledged(1, start); h.failed(2); h.acknowledged(3, start) }, []int{3}},
		"a change without an answer":    {func(h *history) { h.acknowledged(1, start); h.unanswered(none, start) }, []int{none, 1}},
		"another soon after it":         {func(h *history) { h.unanswered(none, start); h.acknowledged(2, after(time.Second)) }, []int{none, 2}},
		"another when it cannot arrive": {func(h *history) { h.unanswered(none, start); h.acknowledged(2, after(lateLimit)) }, []int{2}},
		"one more when it has arrived or not": {func(h *history) {
			h.unanswered(1, start)
			h.acknowledged(2, after(time.Second))
			h.acknowledged(3, after(lateLimit))
		}, []int{3}},
	} {
		h := new(history)
		row.do(h)
		slices.Sort(h.may)
		if !slices.Equal(h.may, row.want) {
			t.Errorf("%s: may have %v, want %v", name, h.may, row.want)
		}
	}
}

func TestHistoryOfSequences(t *testing.T) {
	h := new(history)
	for _, step := range []struct {
		sequence uint64
		want     bool
	}{{2, true}, {2, true}, {5, true}, {4, false}, {5, true}} {
		if got := h.told(step.sequence); got != step.want {
			t.Errorf("sequence %d: %v, want %v", step.sequence, got, step.want)
		}
	}
}
