package main

import (
	"slices"

	"avatard/storage/powercut"
)

// everyFate is what a cut is enumerated with: before a sync, when most is at stake, each change alone too. A stride over 1
// leaves the longer lists out at most places.
func everyFate(cut *powercut.Cut, stride int) []powercut.Fate {
	fates := slices.Collect(cut.Simple())
	if stride > 1 && !cut.BeforeSync {
		fates = fates[:6] // those of single files come before the next sync
	}
	fates = append(fates, lots(cut, 1)...)
	if cut.At%min(stride, 4) == 0 {
		fates = slices.AppendSeq(fates, cut.Torn())
	}
	if cut.BeforeSync && cut.At%min(stride, 3) == 0 {
		fates = slices.AppendSeq(fates, cut.Singly())
	}
	return fates
}

// fewFates are for cuts of which there are many.
func fewFates(cut *powercut.Cut) []powercut.Fate {
	return append(syncFates(cut), lots(cut, 1)...)
}

// syncFates are for even more: what is not durable before a sync is all that ever is.
func syncFates(cut *powercut.Cut) []powercut.Fate {
	if !cut.BeforeSync {
		return nil
	}
	return slices.Collect(cut.Simple())
}

// endFates are the two ends and one by lot, before syncs.
func endFates(cut *powercut.Cut) []powercut.Fate {
	fates := syncFates(cut)
	return append(fates[:min(2, len(fates))], lots(cut, min(1, len(fates)))...)
}

// lots are fates by lot, other ones at each place.
func lots(cut *powercut.Cut, n int) (fates []powercut.Fate) {
	for i := range n {
		fates = append(fates, powercut.Random(uint64(cut.At*n+i)))
	}
	return fates
}
