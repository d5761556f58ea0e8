// Package storagetest proves the contract of package storage on an engine.
//
// [Run] is the suite: every engine, and every wrapper around one, calls it from its own tests. It talks to the store
// through the interface only, closes and opens the same data again in the middle of what it does, and compares errors
// with errors.Is. [Pattern] is for engines' own tests, which look at the disk: it makes pictures every piece of which can be
// recognised, and finds those pieces in files.
//
// An engine that gives the hooks of [Harness] also proves here that it resumes after a fault, that bytes are gone, and that a removal
// outlives its process. Every step at which a disk can fail or power be lost is for the engine's own tests.
//
//	storagetest.go  Run, and the list of checks
//	fixture.go      a store under test, its clock, its reopening · calls.go  its methods, as tables of calls
//	history.go      the rule that concurrent calls on one user are held to · movehistory.go the same with moves among them,
//	                and erasehistory.go with the ends of users
//	proverchecks.go checks of the log of receipts, which prover.go knows
//	trouble.go      checks that need a hook: faults, bytes that are gone, kills
//	pattern.go      pictures that can be recognised; package internal/pieces looks for them
package storagetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// Harness is how the suite reaches an engine.
type Harness struct {
	// Open opens the store kept under state, which is an empty directory of the test's own at first and holds the
	// same data again whenever it is named again. An engine that keeps its data elsewhere uses it as a name. Now is
	// the store's clock.
	//
	// Open may refuse a state that is open already; an engine that does not must serve both handles as one store.
	Open func(ctx context.Context, state string, now func() time.Time) (storage.Store, error)

	// Refusals, unless it is nil, lists the refusals on record in a state that is not open.
	Refusals func(state string) ([]storage.Refusal, error)

	// Break, unless it is nil, keeps the engine of an open state from erasing pictures until heal is called. It still puts changes on
	// record.
	Break func(state string) (heal func())

	// Pieces, unless it is nil, looks for pictures of a pattern in everything that the engine keeps of a state, which is open.
	Pieces func(state string, p *Pattern) ([]Piece, error)

	// Kill, unless it is nil, returns another state: what would be left of this one, which is open, if its process died now.
	Kill func(state string) (left string, err error)

	// Parallel runs checks beside each other, for an engine that waits for servers most of the time.
	Parallel bool
}

// TB is the part of a [testing.T] that checks use. So the suite can be run on stores that must fail it.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	Context() context.Context
	TempDir() string
}

// Run demands the contract of [storage.Store] of an engine, one subtest a check.
func Run(t *testing.T, h Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if h.Parallel {
				t.Parallel()
			}
			c.run(t, h)
		})
	}
}

type check struct {
	name string
	run  func(TB, Harness)
}

func checks() []check { return slices.Concat(ofUsers(), ofPictures(), ofMany(), ofStores()) }

// ofUsers are the checks of who is registered, and of what is on record of them.
func ofUsers() []check {
	return []check{
		{"Organization", checkOrganization},
		{"User", checkUser},
		{"RegisterByUpload", checkRegisterByUpload},
		{"UnknownUser", checkUnknownUser},
		{"OtherOrganization", checkOtherOrganization},
		{"Move", checkMove},
		{"RemoveAnywhere", checkRemoveAnywhere},
		{"MoveIssuer", checkMoveIssuer},
		{"MoveIssuerEnds", checkMoveIssuerEnds},
		{"Lists", checkLists},
		{"EraseUser", checkEraseUser},
		{"EraseUserIf", checkEraseUserIf},
		{"RemoveOrganization", checkRemoveOrganization},
		{"EndOrganization", checkEndOrganization},
		{"Receipts", checkReceipts},
		{"ManyReceipts", checkManyReceipts},
		{"Prover", checkProver},
		{"ProverRefuses", checkProverRefuses},
		{"ProverAtOnce", checkProverAtOnce},
	}
}

// ofPictures are those of pictures and ids.
func ofPictures() []check {
	return []check{
		{"Details", checkDetails},
		{"DetailsReopened", checkDetailsReopened},
		{"Microseconds", checkMicroseconds},
		{"ReceiptsDiffer", checkReceiptsDiffer},

		{"PictureSizes", checkPictureSizes},
		{"PictureRefused", checkPictureRefused},
		{"PictureOwnership", checkPictureOwnership},
		{"Generation", checkGeneration},
		{"SameContent", checkSameContent},
		{"Conditions", checkConditions},
		{"ConditionsAtOnce", checkConditionsAtOnce},

		{"OddIDs", checkOddIDs},
		{"InvalidIDs", checkInvalidIDs},
		{"InvalidCaller", checkInvalidCaller},
	}
}

// ofMany are those of calls that end early, or run at once.
func ofMany() []check {
	return []check{
		{"EndedContext", checkEndedContext},
		{"AbandonedUpload", checkAbandonedUpload},
		{"AbandonedRemove", checkAbandonedRemove},
		{"AbandonedErase", checkAbandonedErase},

		{"OneRegistration", checkOneRegistration},
		{"SameRemove", checkSameRemove},
		{"LastUploadWins", checkLastUploadWins},
		{"History", checkHistory},
		{"MoveHistory", checkMoveHistory},
		{"EraseHistory", checkEraseHistory},
		{"EndingAtOnce", checkEndingAtOnce},
		{"ManyUsers", checkManyUsers},
		{"TwoHandles", checkTwoHandles},
	}
}

// ofStores are those of the store as a whole, and of faults.
func ofStores() []check {
	return []check{
		{"Refusals", checkRefusals},
		{"RefusalsFit", checkRefusalsFit},
		{"Trail", checkTrail},
		{"TrailFollowed", checkTrailFollowed},
		{"TrailAfter", checkTrailAfter},
		{"ExportEnds", checkExportEnds},
		{"Closed", checkClosed},
		{"CloseWhileBusy", checkCloseWhileBusy},
		{"NothingLeft", checkNothingLeft},

		{"Resume", checkResume},
		{"ResumeErase", checkResumeErase},
		{"BytesGone", checkBytesGone},
		{"Killed", checkKilled},
		{"ProverKilled", checkProverKilled},
	}
}
