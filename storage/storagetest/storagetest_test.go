package storagetest_test

import (
	"context"
	"testing"
	"time"

	"avatard/storage"
	"avatard/storage/storagetest"
	"avatard/storage/storagetest/memory"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, harness(memory.New("")))
}

// harness is what the suite runs on.
func harness(m *memory.Memory) storagetest.Harness {
	return m.Hooks(storagetest.Harness{Open: func(ctx context.Context, name string, now func() time.Time) (storage.Store, error) {
		return m.Open(ctx, name, now)
	}})
}

// TestFlaws shows that the suite notices: each store with a flaw must fail the check that is there for it.
func TestFlaws(t *testing.T) {
	for _, tt := range []struct {
		flaw  memory.Flaw
		check string
	}{
		{"says created always", "Organization"},
		{"forgets everything", "Organization"},
		{"registers no organisation with a user", "User"},
		{"registers the organisation of a refused user", "RegisterByUpload"},
		{"registers anew", "OneRegistration"},
		{"moves users", "User"},
		{"ignores the issuer", "UnknownUser"},
		{"joins issuer and id", "UnknownUser"},
		{"ignores the organisation", "OtherOrganization"},
		{"moves users anywhere", "Move"},
		{"registers the organisation of a move", "Move"},
		{"counts every move", "Move"},
		{"moves without counting", "Move"},
		{"says moved and does nothing", "Move"},
		{"loses the picture in a move", "Move"},
		{"moves in two steps", "MoveHistory"},
		{"says moved and does nothing", "MoveHistory"},
		{"removes in the named organisation only", "RemoveAnywhere"},
		{"removes nothing", "RemoveAnywhere"},
		{"moves into an issuer in use", "MoveIssuer"},
		{"keeps users of the old issuer", "MoveIssuer"},
		{"counts a move of the issuer", "MoveIssuer"},
		{"moves nobody of an issuer", "MoveIssuer"},
		{"lists from the beginning again", "Lists"},
		{"lists other organisations", "Lists"},
		{"lists one page only", "Lists"},
		{"lists no pictures", "Lists"},
		{"lists too many organisations", "Lists"},
		{"keeps removed users", "RemoveUser"},
		{"keeps the pictures of removed users", "RemoveUser"},
		{"takes users off the record without counting", "RemoveUser"},
		{"forgets removed users", "RemoveUser"},
		{"brings users back where they were", "RemoveUser"},
		{"takes users off the record before conditions", "RemoveUserIf"},
		{"takes users off the record in the named organisation only", "RemoveUserIf"},
		{"removes organisations in use", "RemoveOrganization"},
		{"says removed always", "RemoveOrganization"},
		{"keeps removed organisations", "RemoveOrganization"},
		{"takes users off the record in two steps", "RemovedAndRegistered"},
		{"removes nothing", "Details"},
		{"removes nothing", "History"},
		{"counts every remove", "Details"},
		{"gives a receipt for every remove", "SameRemove"},
		{"gives no receipt for a replacement", "Details"},
		{"gives one receipt for all", "ReceiptsDiffer"},
		{"loses receipts", "DetailsReopened"},
		{"replaces without counting", "LastUploadWins"},
		{"never dates a change", "Details"},
		{"rounds times", "Microseconds"},
		{"keeps nanoseconds", "Microseconds"},
		{"keeps local times", "Microseconds"},
		{"brings removed pictures back", "DetailsReopened"},
		{"forgets the format", "PictureSizes"},
		{"leaves the end of the picture before", "PictureSizes"},
		{"drops zeros", "PictureSizes"},
		{"refuses the largest picture", "PictureSizes"},
		{"takes empty pictures", "PictureRefused"},
		{"takes large pictures", "PictureRefused"},
		{"takes any format", "PictureRefused"},
		{"keeps the caller's slice", "PictureOwnership"},
		{"hands out its own slice", "PictureOwnership"},
		{"takes the caller's generation", "Generation"},
		{"names pictures by content", "Generation"},
		{"removes the same content everywhere", "SameContent"},
		{"decides no conditions of uploads", "Conditions"},
		{"decides no conditions of removals", "Conditions"},
		{"registers before it decides", "Conditions"},
		{"removes nothing twice under a condition", "Conditions"},
		{"decides conditions before the change", "ConditionsAtOnce"},
		{"folds case", "OddIDs"},
		{"trims spaces", "OddIDs"},
		{"cuts ids at NUL", "InvalidIDs"},
		{"takes empty ids", "InvalidIDs"},
		{"takes long ids", "InvalidIDs"},
		{"takes broken UTF-8", "InvalidIDs"},
		{"takes control characters", "InvalidIDs"},
		{"takes long callers", "InvalidCaller"},
		{"ignores contexts", "EndedContext"},
		{"runs abandoned uploads late", "EndedContext"},
		{"reads from a cache of its handle", "Details"},
		{"reads from a cache of its handle", "TwoHandles"},
		{"looks once only", "Details"},
		{"looks once only", "History"},
		{"looks into every organisation", "OtherOrganization"},
		{"looks at what is removed", "Details"},
		{"fails to look where there is no picture", "User"},
		{"looks at no size", "PictureSizes"},
		{"looks at no format", "PictureSizes"},
		{"looks at another generation", "Generation"},
		{"looks at no record", "Details"},
		{"counts refusals as changes", "Refusals"},
		{"records refusals as they come", "RefusalsFit"},
		{"records no refusals", "RefusalsFit"},
		{"works after Close", "Closed"},
		{"closes once only", "Closed"},
		{"leaves a file open", "NothingLeft"},
		{"leaves a goroutine", "NothingLeft"},
		{"says done while it cannot erase", "Resume"},
		{"forgets what it could not finish", "Resume"},
		{"keeps removed bytes", "BytesGone"},
		{"removes nothing", "BytesGone"},
		{"brings removed pictures back", "Killed"},
		{"loses what a process had", "Killed"},
	} {
		t.Run(string(tt.flaw)+"/"+tt.check, func(t *testing.T) {
			t.Parallel()
			if faults := storagetest.RunCheck(t, tt.check, harness(memory.New(tt.flaw))); len(faults) == 0 {
				t.Errorf("a store that %s passes %s", tt.flaw, tt.check)
			}
		})
	}
}
