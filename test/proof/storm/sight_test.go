package main

import "testing"

// What is listed after a delete with sequence 7 may be there, or it may not.
func TestExcuse(t *testing.T) {
	later, same := record{Active: true, Sequence: 8}, record{Active: true, Sequence: 7}
	for name, row := range map[string]struct {
		object
		follows string
		late    bool
		want    string
	}{
		"nothing on record":                           {object{}, unanswered, true, ""},
		"the picture that was to be deleted":          {object{record: same}, unanswered, false, ""},
		"a later picture":                             {object{record: later}, unanswered, false, unanswered + ": in place"},
		"a later picture whose upload nobody made":    {object{record: later}, noUpload, true, ""},
		"a delete marker":                             {object{listed: listed{marker: true}, record: later}, unanswered, true, ""},
		"an upload under way":                         {object{record: record{State: underWay}}, beside, false, beside + ": under way"},
		"an upload under way that nobody made":        {object{record: record{State: underWay}}, noUpload, true, ""},
		"a later upload that is to be erased":         {object{record: record{State: toErase, Reason: 3}}, beside, false, beside + ": given up or erased since"},
		"an erasure that was not done":                {object{record: record{State: toErase, Reason: 1}}, noUpload, true, ""},
		"one that was to be erased":                   {object{record: record{Receipt: true}}, noUpload, true, ""},
		"an upload given up before":                   {object{record: record{State: givenUp, Receipt: true}}, noUpload, false, ""},
		"an upload given up before that arrives late": {object{record: record{State: givenUp, Receipt: true}}, noUpload, true, arrivedLate},
	} {
		if got := row.excuse(row.follows, row.late, 7); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
