package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
)

// told is a call with its outcome, and when it began and ended.
type told struct {
	begin, end int64
	in         call
	out        outcome
}

func uploads(begin, end int64, picture int, sequence uint64) told {
	return told{begin, end, call{Kind: upload, Picture: picture, Asked: none}, outcome{Sequence: sequence, Picture: none}}
}

func deletes(begin, end int64, sequence uint64) told {
	return told{begin, end, call{Kind: remove, Picture: none, Asked: none}, outcome{Sequence: sequence, Picture: none}}
}

func reads(begin, end int64, seen int) told {
	return told{begin, end, call{Kind: read, Picture: none, Asked: none}, outcome{Picture: seen}}
}

func readsUnless(begin, end int64, asked, seen int, unchanged bool) told {
	return told{begin, end, call{Kind: read, Picture: none, Asked: asked}, outcome{Picture: seen, Unchanged: unchanged}}
}

func erases(begin, end int64, sequence uint64) told {
	return told{begin, end, call{Kind: erase, Picture: none, Asked: none}, outcome{Sequence: sequence, Picture: none}}
}

func readmits(begin, end int64, created bool) told {
	return told{begin, end, call{Kind: readmit, Picture: none, Asked: none}, outcome{Created: created, Picture: none}}
}

// refuses answers an upload or a delete with that there is no such user.
func refuses(t told) told {
	t.out = outcome{Refused: true, Picture: none}
	return t
}

// open leaves a change without an outcome until the restart at end.
func open(t told) told {
	t.out = outcome{Open: true, Picture: none}
	return t
}

func of(user string, t told) told {
	t.in.User = user
	return t
}

// modelTests are histories, and whether there is an order of their calls that explains them.
var modelTests = []struct {
	name    string
	history []told
	want    bool
}{
	{"one after the other", []told{reads(1, 2, none), uploads(3, 4, 7, 2), reads(5, 6, 7), uploads(7, 8, 8, 3), reads(9, 10, 8),
		deletes(11, 12, 4), reads(13, 14, none), deletes(15, 16, 4), uploads(17, 18, 9, 5)}, true},
	{"a read beside a delete sees the picture or not",
		[]told{uploads(1, 2, 7, 2), deletes(3, 10, 3), reads(4, 9, 7), reads(5, 8, none), reads(11, 12, none)}, true},
	{"a picture is seen before its upload is answered", []told{uploads(1, 10, 7, 2), reads(2, 3, 7), reads(4, 5, 7)}, true},
	{"two deletes share one change", []told{uploads(1, 2, 7, 2), deletes(3, 6, 3), deletes(4, 5, 3)}, true},
	{"of two uploads at once the earlier may be answered later",
		[]told{uploads(1, 10, 7, 2), uploads(2, 5, 8, 3), reads(6, 7, 8)}, true},
	{"users do not meet", []told{of("a", uploads(1, 2, 7, 2)), of("b", reads(3, 4, none)), of("b", uploads(5, 6, 8, 2)), of("a", reads(7, 8, 7))}, true},

	{"a stale read after a delete", []told{uploads(1, 2, 7, 0), deletes(3, 4, 0), reads(5, 6, 7)}, false},
	{"a stale read after a replacement", []told{uploads(1, 2, 7, 0), uploads(3, 4, 8, 0), reads(5, 6, 7)}, false},
	{"a lost upload", []told{uploads(1, 2, 7, 0), reads(3, 4, none)}, false},
	{"a lost replacement", []told{uploads(1, 2, 7, 0), uploads(3, 4, 8, 0), reads(5, 6, none)}, false},
	{"a picture seen before its upload began", []told{reads(1, 2, 7), uploads(3, 4, 7, 0)}, false},
	{"a picture that nobody uploaded", []told{reads(1, 2, 7)}, false},
	{"another user's picture", []told{of("a", uploads(1, 2, 7, 0)), of("b", reads(3, 4, 7))}, false},
	{"a picture that flickers beside a delete", []told{uploads(1, 2, 7, 0), deletes(3, 20, 0), reads(4, 5, none), reads(6, 7, 7)}, false},

	{"304 for the picture there is", []told{uploads(1, 2, 7, 2), readsUnless(3, 4, 7, 7, true)}, true},
	{"another tag than the picture's", []told{uploads(1, 2, 7, 2), uploads(3, 4, 8, 3), readsUnless(5, 6, 7, 8, false)}, true},
	{"304 for a deleted picture", []told{uploads(1, 2, 7, 0), deletes(3, 4, 0), readsUnless(5, 6, 7, 7, true)}, false},
	{"304 for a replaced picture", []told{uploads(1, 2, 7, 0), uploads(3, 4, 8, 0), readsUnless(5, 6, 7, 7, true)}, false},
	{"the whole picture for its own tag", []told{uploads(1, 2, 7, 0), readsUnless(3, 4, 7, 7, false)}, false},

	{"an open upload has happened", []told{open(uploads(1, 10, 7, 0)), reads(11, 12, 7), deletes(13, 14, 3)}, true},
	{"an open upload has not happened", []told{open(uploads(1, 10, 7, 0)), reads(11, 12, none), deletes(13, 14, 1)}, true},
	{"an open upload happens late", []told{open(uploads(1, 10, 7, 0)), reads(2, 3, none), deletes(4, 5, 1), reads(6, 7, 7)}, true},
	{"an open delete happens late", []told{uploads(1, 2, 7, 2), open(deletes(3, 10, 0)), reads(4, 5, 7), reads(6, 7, none), uploads(11, 12, 8, 4)}, true},
	{"an open delete happens behind a later upload", []told{uploads(1, 2, 7, 2), open(deletes(3, 20, 0)), uploads(4, 5, 8, 3), reads(6, 7, none)}, true},
	{"an open delete has not happened", []told{uploads(1, 2, 7, 2), open(deletes(3, 10, 0)), reads(11, 12, 7), uploads(13, 14, 8, 3)}, true},

	{"an open upload happens twice",
		[]told{open(uploads(1, 20, 7, 0)), reads(2, 3, 7), deletes(4, 5, 0), reads(6, 7, 7)}, false},
	{"an open upload happens after the restart", []told{open(uploads(1, 10, 7, 0)), reads(11, 12, none), reads(13, 14, 7)}, false},
	{"an open delete happens after the restart", []told{uploads(1, 2, 7, 0), open(deletes(3, 10, 0)), reads(11, 12, 7), reads(13, 14, none)}, false},
	{"a picture comes back with the restart", []told{uploads(1, 2, 7, 0), deletes(3, 4, 0), open(uploads(5, 10, 8, 0)), reads(11, 12, 7)}, false},
	{"an upload is lost with the restart", []told{uploads(1, 2, 7, 0), open(uploads(3, 10, 8, 0)), reads(11, 12, none)}, false},
	{"an open delete, seen done, is undone by the restart",
		[]told{uploads(1, 2, 7, 0), open(deletes(3, 10, 0)), reads(4, 5, none), reads(11, 12, 7)}, false},

	{"a sequence that leaves one out", []told{uploads(1, 2, 7, 3)}, false},
	{"a sequence that repeats", []told{uploads(1, 2, 7, 2), uploads(3, 4, 8, 2)}, false},
	{"a delete that counts without a picture", []told{deletes(1, 2, 2)}, false},
	{"a delete that does not count", []told{uploads(1, 2, 7, 2), deletes(3, 4, 2)}, false},
	{"sequences against the order of the calls", []told{uploads(1, 2, 7, 3), uploads(3, 4, 8, 2)}, false},
	{"sequences against what is seen", []told{uploads(1, 10, 7, 2), uploads(2, 9, 8, 3), reads(11, 12, 7)}, false},
	{"an open change leaves a gap that it cannot explain", []told{open(uploads(1, 10, 7, 0)), reads(11, 12, none), uploads(13, 14, 8, 3)}, false},
}

// endTests are histories in which users end.
var endTests = []struct {
	name    string
	history []told
	want    bool
}{
	{"an erasure, refusals, a readmission", []told{uploads(1, 2, 7, 2), erases(3, 4, 4), reads(5, 6, none), refuses(uploads(7, 8, 8, 0)),
		refuses(deletes(9, 10, 0)), erases(11, 12, 4), readmits(13, 14, true), readmits(15, 16, false), uploads(17, 18, 9, 6), reads(19, 20, 9)}, true},
	{"an erasure without a picture", []told{erases(1, 2, 2), refuses(uploads(3, 4, 7, 0)), erases(5, 6, 2)}, true},
	{"beside an erasure an upload is done or refused",
		[]told{erases(1, 10, 4), uploads(2, 9, 7, 2), refuses(uploads(3, 8, 8, 0)), reads(4, 5, 7), reads(11, 12, none)}, true},
	{"two erasures share one change", []told{uploads(1, 2, 7, 2), erases(3, 6, 4), erases(4, 5, 4)}, true},
	{"an open upload has happened before the erasure", []told{open(uploads(1, 10, 7, 0)), erases(3, 4, 4), reads(5, 6, none)}, true},

	{"a read of the picture after the erasure", []told{uploads(1, 2, 7, 0), erases(3, 4, 0), reads(5, 6, 7)}, false},
	{"304 after the erasure", []told{uploads(1, 2, 7, 0), erases(3, 4, 0), readsUnless(5, 6, 7, 7, true)}, false},
	{"an upload that is acknowledged after the erasure", []told{erases(1, 2, 0), uploads(3, 4, 7, 0)}, false},
	{"an upload that becomes active after the erasure", []told{open(uploads(1, 10, 7, 0)), erases(3, 4, 0), reads(5, 6, none), reads(7, 8, 7)}, false},
	{"an acknowledged upload that becomes active after the erasure", []told{uploads(1, 10, 7, 0), erases(3, 4, 0), reads(5, 6, 7)}, false},
	{"an upload that becomes active at the restart after the erasure", []told{open(uploads(1, 10, 7, 0)), erases(3, 4, 0), reads(11, 12, 7)}, false},
	{"a delete that is acknowledged after the erasure", []told{uploads(1, 2, 7, 0), erases(3, 4, 0), deletes(5, 6, 0)}, false},
	{"an upload that is refused before any erasure", []told{refuses(uploads(1, 2, 7, 0)), erases(3, 4, 0)}, false},
	{"an upload that is refused after the readmission", []told{erases(1, 2, 0), readmits(3, 4, true), refuses(uploads(5, 6, 7, 0))}, false},
	{"a refused upload that is seen", []told{erases(1, 10, 0), refuses(uploads(2, 3, 7, 0)), reads(4, 5, 7)}, false},
	{"a picture that comes back with the readmission", []told{uploads(1, 2, 7, 0), erases(3, 4, 0), readmits(5, 6, true), reads(7, 8, 7)}, false},
	{"a readmission of somebody who is registered", []told{readmits(1, 2, true)}, false},
	{"a readmission that finds somebody who has ended registered", []told{erases(1, 2, 0), readmits(3, 4, false)}, false},
	{"a repeated erasure that counts", []told{erases(1, 2, 2), erases(3, 4, 3)}, false},
	{"an erasure that counts the picture alone", []told{uploads(1, 2, 7, 2), erases(3, 4, 3)}, false},

	{"an open erasure has happened", []told{uploads(1, 2, 7, 2), open(erases(3, 10, 0)), reads(11, 12, none), refuses(uploads(13, 14, 8, 0)), erases(15, 16, 4)}, true},
	{"an open erasure has not happened", []told{uploads(1, 2, 7, 2), open(erases(3, 10, 0)), reads(11, 12, 7), uploads(13, 14, 8, 3)}, true},
	{"an open erasure has erased the picture alone", []told{uploads(1, 2, 7, 2), open(erases(3, 10, 0)), reads(11, 12, none), uploads(13, 14, 8, 4)}, true},
	{"an open erasure happens after the restart", []told{open(erases(1, 10, 0)), uploads(11, 12, 7, 0), refuses(uploads(13, 14, 8, 0))}, false},
	{"an open erasure, seen done, is undone by the restart", []told{open(erases(1, 10, 0)), refuses(uploads(2, 3, 7, 0)), uploads(11, 12, 8, 0)}, false},
	{"an acknowledged erasure is undone by the restart", []told{erases(1, 2, 0), open(uploads(3, 10, 7, 0)), uploads(11, 12, 8, 0)}, false},
	{"an open readmission has happened, or not", []told{erases(1, 2, 2), open(readmits(3, 10, false)), uploads(4, 5, 7, 4), of("b", erases(1, 2, 2)),
		of("b", open(readmits(3, 10, false))), of("b", refuses(uploads(11, 12, 8, 0)))}, true},
}

// Made-up histories: those that can be, and those that must not. Sequence 0 stands for one that the client did not learn.
func TestModel(t *testing.T) {
	for _, tt := range append(modelTests, endTests...) {
		var history []porcupine.Operation
		for i, one := range tt.history {
			history = append(history, porcupine.Operation{ClientId: i, Input: one.in, Output: one.out, Call: one.begin, Return: one.end})
		}
		want := porcupine.Illegal
		if tt.want {
			want = porcupine.Ok
		}
		if got := judge(history); got.result != want {
			t.Errorf("%s: the check says %s, want %s", tt.name, got.result, want)
		}
	}
}

// The released program does not link the checker of histories.
func TestProgramDoesNotLinkTheChecker(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../..").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "example.org/avatard/storage\n") {
		t.Fatalf("the list of packages has no storage:\n%s", out)
	}
	if strings.Contains(string(out), "porcupine") {
		t.Error("the program links porcupine")
	}
}
