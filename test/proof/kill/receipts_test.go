package main

import (
	"errors"
	"strings"
	"testing"

	"example.org/avatard/test/proof/testbed"
)

// made is a made-up database.
type made []testbed.Receipt

func (m made) Receipts(above int64, each func(testbed.Receipt)) error {
	for _, r := range m {
		if r.Number > above {
			each(r)
		}
	}
	return nil
}

func TestReceipts(t *testing.T) {
	alice, bob := &user{Person: testbed.Person{ID: "alice"}}, &user{Person: testbed.Person{ID: "bob"}}
	rec := func(number int64, user, id string, counts bool) testbed.Receipt {
		return testbed.Receipt{Number: number, User: user, Generation: id, Counts: counts}
	}
	tests := []struct {
		about string
		then  func(*receipts) // between two looks
		first made
		last  made
		all   bool
		want  string // part of the violation
	}{
		{"told, on record, counts", nil, made{rec(1, "alice", "a", true)}, nil, false, ""},
		{"told just before the kill", nil, made{rec(1, "alice", "a", false)}, nil, false, ""},
		{"not on record", nil, made{rec(1, "bob", "b", true)}, nil, false, "is not on record"},
		{"another user's", nil, made{rec(1, "bob", "a", true)}, nil, false, "is user bob's"},
		{"twice", nil, made{rec(1, "alice", "a", true), rec(2, "alice", "a", true)}, nil, false, "twice"},
		{"counts after the start", (*receipts).served, made{rec(1, "alice", "a", false)}, made{rec(1, "alice", "a", true)}, false, ""},
		{"does not count after the start", (*receipts).served, made{rec(1, "alice", "a", false)}, made{rec(1, "alice", "a", false)}, false, "does not count"},
		{"does not count behind one that does", (*receipts).served, made{rec(1, "alice", "a", false), rec(2, "bob", "b", true)},
			made{rec(1, "alice", "a", false), rec(2, "bob", "b", true)}, false, "does not count"},
		{"again after the start", (*receipts).served, made{rec(1, "alice", "a", true)}, made{rec(1, "alice", "a", true), rec(2, "alice", "a", true)}, false, "twice"},
		{"vanished", (*receipts).served, made{rec(1, "alice", "a", true), rec(2, "bob", "b", true)}, made{rec(2, "bob", "b", true)}, true, "1 receipts are on record, 2 were"},
		{"an old one is told again", func(r *receipts) { r.acknowledge(alice, "a") }, made{rec(1, "alice", "a", true)}, made{rec(1, "alice", "a", true)}, false, ""},
		{"an old one is told to another user", func(r *receipts) { r.acknowledge(bob, "a") }, made{rec(1, "alice", "a", true)}, made{rec(1, "alice", "a", true)}, false, "is user alice's"},
	}
	for _, test := range tests {
		v := new(violations)
		r := newReceipts(v)
		r.served()
		r.acknowledge(alice, "a")
		err := r.compare(test.first, false)
		if test.then != nil {
			test.then(r)
			err = errors.Join(err, r.compare(test.last, test.all))
		}
		var found []string
		for _, one := range v.list {
			found = append(found, one.Text)
		}
		if text := strings.Join(found, "\n"); err != nil || (test.want == "") != (text == "") || !strings.Contains(text, test.want) {
			t.Errorf("%s: %v %q, want %q", test.about, err, text, test.want)
		}
	}
}
