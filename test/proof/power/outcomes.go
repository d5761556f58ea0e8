package main

import (
	"slices"

	"example.org/avatard/storage/powercut"
)

// everyOutcome is what a cut is enumerated with: before a sync, when most is at stake, each change alone too. A stride over 1
// leaves the longer lists out at most places.
func everyOutcome(cut *powercut.Cut, stride int) []powercut.Outcome {
	outcomes := slices.Collect(cut.Simple())
	if stride > 1 && !cut.BeforeSync {
		outcomes = outcomes[:6] // those of single files come before the next sync
	}
	outcomes = append(outcomes, randomOutcomes(cut, 1)...)
	if cut.At%min(stride, 4) == 0 {
		outcomes = slices.AppendSeq(outcomes, cut.Torn())
	}
	if cut.BeforeSync && cut.At%min(stride, 3) == 0 {
		outcomes = slices.AppendSeq(outcomes, cut.Singly())
	}
	return outcomes
}

// fewOutcomes are for cuts of which there are many.
func fewOutcomes(cut *powercut.Cut) []powercut.Outcome {
	return append(syncOutcomes(cut), randomOutcomes(cut, 1)...)
}

// syncOutcomes are for even more: what is not durable before a sync is all that ever is.
func syncOutcomes(cut *powercut.Cut) []powercut.Outcome {
	if !cut.BeforeSync {
		return nil
	}
	return slices.Collect(cut.Simple())
}

// endOutcomes are the two ends and a random one, before syncs.
func endOutcomes(cut *powercut.Cut) []powercut.Outcome {
	outcomes := syncOutcomes(cut)
	return append(outcomes[:min(2, len(outcomes))], randomOutcomes(cut, min(1, len(outcomes)))...)
}

// randomOutcomes are random, and others at each place.
func randomOutcomes(cut *powercut.Cut, n int) (outcomes []powercut.Outcome) {
	for i := range n {
		outcomes = append(outcomes, powercut.Random(uint64(cut.At*n+i)))
	}
	return outcomes
}
