package embedded

import (
	"context"
	"errors"
	"testing"

	"example.org/avatard/storage"
)

// A removal that is bound to a picture, and whose erasure did not come through, resumes when it is repeated as it was.
func TestConditionOfAResumedRemoval(t *testing.T) {
	ctx := context.Background()
	f := &faults{}
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 5000)
	info, err := s.Stat(ctx, testKey(1), testOrg)
	if err != nil {
		t.Fatal(err)
	}
	rm := removal(1)
	rm.If.IfMatch = []string{info.Generation}
	f.set(func(_ int, name, op string) bool { return name == slabName && op == "sync" })
	for range 2 {
		if _, err := s.Remove(ctx, rm); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Remove on a failing slab = %v, want %v", err, storage.ErrUnavailable)
		}
	}
	whichever := removal(1)
	whichever.If.IfMatch = []string{storage.AnyPicture}
	if _, err := s.Remove(ctx, whichever); !errors.Is(err, storage.ErrConditionFailed) {
		t.Errorf("Remove of any picture while it is being erased = %v, want %v", err, storage.ErrConditionFailed)
	}
	f.set(nil)
	if res, err := s.Remove(ctx, rm); err != nil || res.Receipt == "" {
		t.Errorf("Remove again = %+v, %v, want a receipt", res, err)
	}
	if got := s.Stats(); got.Erased != 1 || got.Stuck != 0 {
		t.Errorf("%d erased, %d stuck, want 1 and 0", got.Erased, got.Stuck)
	}
}
