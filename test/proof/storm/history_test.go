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
		"a delete that failed":          {func(h *history) { h.acknowledged(1, start); h.possible(none) }, []int{none, 1}},
		"one after a failure":           {func(h *history) { h.acknowledged(1, start); h.possible(2); h.acknowledged(3, start) }, []int{3}},
		"a change without an answer":    {func(h *history) { h.acknowledged(1, start); h.unanswered(none, start, lateLimit) }, []int{none, 1}},
		"another soon after it":         {func(h *history) { h.unanswered(none, start, lateLimit); h.acknowledged(2, after(time.Second)) }, []int{none, 2}},
		"another when it cannot arrive": {func(h *history) { h.unanswered(none, start, lateLimit); h.acknowledged(2, after(lateLimit)) }, []int{2}},
		"one more when it has arrived or not": {func(h *history) {
			h.unanswered(1, start, lateLimit)
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

func TestUploadMayFollow(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	h := new(history)
	h.unanswered(none, start, lateLimit)
	h.acknowledged(none, start)
	if h.uploadMayFollow() || !h.has(none) {
		t.Errorf("after a delete without an answer: %+v", h)
	}
	h.unanswered(1, start, lateLimit)
	h.acknowledged(none, start.Add(time.Second))
	if !h.uploadMayFollow() || h.has(none) {
		t.Errorf("after an upload without an answer: %+v", h)
	}
	h.acknowledged(none, start.Add(lateLimit))
	if h.uploadMayFollow() || !h.has(none) {
		t.Errorf("when it cannot arrive any more: %+v", h)
	}
}
