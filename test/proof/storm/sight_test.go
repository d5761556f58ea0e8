package main

import "testing"

// What is listed after a delete with sequence 7 may be there, or it may not.
func TestExcuse(t *testing.T) {
	after, same := record{Active: true, Sequence: 8}, record{Active: true, Sequence: 7}
	left, both, nobody := later{upload: unanswered}, later{upload: beside, another: true}, later{}
	for name, row := range map[string]struct {
		object
		follows later
		late    bool
		want    string
	}{
		"nothing on record":                           {object{}, both, true, ""},
		"the picture that was to be deleted":          {object{record: same}, left, false, ""},
		"a later picture":                             {object{record: after}, left, false, unanswered + ": in place"},
		"a later picture whose upload nobody made":    {object{record: after}, nobody, true, ""},
		"a delete marker":                             {object{listed: listed{marker: true}, record: after}, left, true, ""},
		"an upload under way":                         {object{record: record{State: underWay, Reason: 3}}, left, false, unanswered + ": under way"},
		"an upload under way that nobody made":        {object{record: record{State: underWay, Reason: 3}}, nobody, true, ""},
		"a later upload that is given up":             {object{record: record{State: toErase, Reason: 3}}, left, false, unanswered + ": given up"},
		"a later picture that is deleted":             {object{record: record{State: toErase, Reason: 1}}, both, false, beside + ": erased since"},
		"a later picture that nobody has deleted":     {object{record: record{State: toErase, Reason: 1}}, left, false, ""},
		"an erasure that was not done":                {object{record: record{State: toErase, Reason: 1}}, nobody, true, ""},
		"one that was to be erased":                   {object{record: record{Receipt: true, Reason: 1}}, nobody, true, ""},
		"an upload given up before":                   {object{record: record{State: givenUp, Reason: 3, Receipt: true}}, nobody, false, ""},
		"an upload given up before that arrives late": {object{record: record{State: givenUp, Reason: 3, Receipt: true}}, nobody, true, arrivedLate},
	} {
		if got := row.excuse(row.follows, row.late, 7); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
