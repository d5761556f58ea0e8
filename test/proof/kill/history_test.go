package main

import (
	"slices"
	"testing"
)

// Made-up histories of one user, who has picture 0 before, and what may be seen after them.
func TestMay(t *testing.T) {
	const open, no = never, -2 // no answer, refused
	type call struct {
		picture    int
		begin, end int64
	}
	tests := []struct {
		about      string
		calls      []call
		begin, end int64 // of the look
		want       []int
	}{
		{"nothing happened", nil, 5, 6, []int{0}},
		{"deleted", []call{{none, 1, 2}}, 5, 6, []int{none}},
		{"a look while it is deleted", []call{{none, 1, 9}}, 5, 6, []int{0, none}},
		{"a look before it is deleted", []call{{none, 7, 9}}, 5, 6, []int{0}},
		{"a delete that was not answered", []call{{none, 1, open}}, 5, 6, []int{0, none}},
		{"a delete that was refused", []call{{none, 1, no}}, 5, 6, []int{0}},
		{"replaced", []call{{1, 1, 2}}, 5, 6, []int{1}},
		{"replaced, not answered", []call{{1, 1, open}}, 5, 6, []int{0, 1}},
		{"replaced twice", []call{{1, 1, 2}, {2, 3, 4}}, 5, 6, []int{2}},
		{"two uploads that overlap", []call{{1, 1, 3}, {2, 2, 4}}, 5, 6, []int{1, 2}},
		{"upload and delete that overlap", []call{{1, 1, 3}, {none, 2, 4}}, 5, 6, []int{1, none}},
		{"an upload without an answer may come after what was answered later", []call{{1, 1, open}, {none, 2, 3}}, 5, 6, []int{1, none}},
		{"and not bring back what was there before", []call{{1, 1, 2}, {2, 3, open}, {none, 4, 5}}, 6, 7, []int{2, none}},
		{"deleted and uploaded again", []call{{none, 1, 2}, {3, 3, 4}}, 5, 6, []int{3}},
		{"three in a chain of overlaps", []call{{1, 1, 3}, {2, 2, 5}, {none, 4, 6}}, 7, 8, []int{2, none}},
	}
	for _, test := range tests {
		h := new(history)
		h.settle(0)
		for _, c := range test.calls {
			n := h.begin(c.picture, c.begin)
			switch c.end {
			case open:
			case no:
				h.refused(n)
			default:
				h.acknowledged(n, c.end)
			}
		}
		got := h.may(test.begin, test.end)
		if slices.Sort(got); !slices.Equal(got, sorted(test.want)) {
			t.Errorf("%s: may see %v, want %v", test.about, got, test.want)
		}
		for seen := none; seen < 4; seen++ {
			kind, _ := h.judge(seen, test.begin, test.end)
			if (kind == "") != slices.Contains(test.want, seen) {
				t.Errorf("%s: seeing %d is %q", test.about, seen, kind)
			}
		}
	}
}

func sorted(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func TestJudgeNamesWhatIsWrong(t *testing.T) {
	h := new(history)
	h.settle(7)
	if kind, _ := h.judge(none, 1, 2); kind != lost {
		t.Errorf("a picture that vanished is %q", kind)
	}
	h.acknowledged(h.begin(none, 3), 4)
	if kind, _ := h.judge(7, 5, 6); kind != undone {
		t.Errorf("a picture that came back is %q", kind)
	}
	h.acknowledged(h.begin(8, 7), 8)
	if kind, _ := h.judge(7, 9, 10); kind != undone {
		t.Errorf("a picture before the newest is %q", kind)
	}
}

func TestCertainAndAlone(t *testing.T) {
	h := new(history)
	h.settle(1)
	if p, ok := h.certain(1); p != 1 || !ok {
		t.Errorf("certain = %d, %v", p, ok)
	}
	first := h.begin(none, 2)
	if _, ok := h.certain(3); ok {
		t.Error("certain while a delete is on its way")
	}
	h.acknowledged(first, 4)
	if p, ok := h.certain(5); p != none || !ok {
		t.Errorf("certain after a delete = %d, %v", p, ok)
	}
	second := h.begin(2, 6)
	third := h.begin(3, 7)
	h.acknowledged(second, 8)
	h.acknowledged(third, 9)
	if !h.alone(first) || h.alone(second) || h.alone(third) {
		t.Error("the first write alone was alone")
	}
}
