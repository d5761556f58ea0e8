package embedded

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
)

// checkScenario opens what a scenario that was killed at some place left behind, and demands that it holds what was acknowledged,
// and at most the one step more that was under way.
func checkScenario(t *testing.T, dir string, at any, acknowledged int) {
	t.Helper()
	ctx := context.Background()
	pattern := storagetest.NewPattern(1)
	s := openTest(t, dir)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("killed at %v: Ready = %v", at, err)
	}
	living := map[uint32]bool{}
	unanswered := 0
	for user := 1; user <= 2; user++ {
		before, after := pictureAfter(user, acknowledged), pictureAfter(user, acknowledged+1)
		got, err := s.Get(ctx, testKey(user), testOrg)
		if err != nil && !errors.Is(err, storage.ErrNoPicture) && !errors.Is(err, storage.ErrUserNotFound) {
			t.Fatalf("killed at %v: Get(user %d) = %v", at, user, err)
		}
		found := false
		for _, step := range []int{before, after} {
			want := []byte(nil)
			if step >= 0 && killScenario[step].picture != 0 {
				want = pattern.Picture(killScenario[step].picture, killScenario[step].size)
			}
			if bytes.Equal(got.Data, want) {
				found = true
				if want != nil {
					living[killScenario[step].picture] = true
				}
				break
			}
		}
		if !found {
			t.Errorf("killed at %v after %d steps: user %d has %d bytes that are neither the state before the next step nor after it",
				at, acknowledged, user, len(got.Data))
		}
		if before != after {
			unanswered++
		}
	}
	if unanswered > 1 {
		t.Fatal("the scenario has two steps at once")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	pieces, err := pattern.Search(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if !living[piece.Number] {
			t.Errorf("killed at %v after %d steps: %v", at, acknowledged, piece)
		}
	}
	if len(pieces) == 0 && len(living) > 0 {
		t.Errorf("killed at %v: the search does not find living pictures", at)
	}
}

// checkErased demands that the moment of the kill left nothing of a picture whose end was acknowledged by then.
func checkErased(t *testing.T, dir string, at any, acknowledged int) {
	t.Helper()
	pattern := storagetest.NewPattern(1)
	pieces, err := pattern.Search(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		for i, step := range killScenario {
			if step.picture == piece.Number && pictureAfter(step.user, acknowledged) > i {
				t.Errorf("killed at %v after %d steps, not restarted: %v", at, acknowledged, piece)
			}
		}
	}
}

// pictureAfter returns the step that decides what a user has after so many steps, -1 for none.
func pictureAfter(user, steps int) int {
	last := -1
	for i := range killScenario[:min(steps, len(killScenario))] {
		if killScenario[i].user == user {
			last = i
		}
	}
	return last
}

// small makes the reserve a small one: what is written often in a test need not be much.
func (sp *space) small() { sp.size = min(sp.size, 64<<10) }
