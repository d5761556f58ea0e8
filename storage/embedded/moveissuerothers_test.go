package embedded

import (
	"errors"
	"testing"

	"avatard/storage"
)

// putAt uploads a picture of a user of an issuer, whom it registers in an organisation.
func putAt(t *testing.T, s *Store, i int, issuer, org string) {
	t.Helper()
	up := upload(i, 700)
	up.User, up.Organization, up.Register = movedKey(i, issuer), org, true
	if _, err := s.Put(t.Context(), up); err != nil {
		t.Fatal(err)
	}
}

// What is remembered of users is forgotten also where the change that ends it and the move are made together.
func TestRemoveTogetherWithAMoveOfTheIssuer(t *testing.T) {
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	mustPut(t, s, 0, 3000)
	if _, err := s.Get(t.Context(), testKey(0), testOrg); err != nil {
		t.Fatal(err)
	}
	key := testKey(0)
	tickets := []*ticket{
		{work: &remove{rm: removal(0)}, key: &key, done: make(chan struct{})},
		{work: &moveIssuer{from: old, to: newIssuer, by: testBy}, done: make(chan struct{})},
	}
	onCommitter(s, func() {
		for _, ticket := range tickets {
			if err := s.line.enter(ticket); err != nil {
				t.Error(err)
			}
		}
	})
	for _, ticket := range tickets {
		if <-ticket.done; ticket.answer != nil {
			t.Fatal(ticket.answer)
		}
	}
	if info, err := s.Stat(t.Context(), movedKey(0, newIssuer), testOrg); err != nil || info.Generation != "" {
		t.Errorf("Stat behind both = %+v, %v, want no picture", info, err)
	}
	if _, err := s.Get(t.Context(), movedKey(0, newIssuer), testOrg); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get behind both = %v, want %v", err, storage.ErrNoPicture)
	}
}

// Issuers are ids: every one that is valid can be moved, however it is called.
func TestMoveOfAnIssuerOfAnyName(t *testing.T) {
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	putAt(t, s, 0, old, testOrg)
	for _, to := range []string{"moved from " + old, old, "moved from " + old, newIssuer, "moved from " + newIssuer, newIssuer} {
		mustMoveIssuer(t, s, old, to)
		old = to
	}
	putAt(t, s, 0, newIssuer, testOrg)
}
