package authz

import (
	"encoding/json"
	"example.org/avatard/internal/ids"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxActors bounds the chain of actors: a caller that acts for another, who acts for a third, and so on.
const maxActors = 4

// readActors reads the claim act (RFC 8693 section 4.1): the subjects of those who act in the caller's place, the current actor first.
// nil = nobody acts in the caller's place. An actor without a subject is "", and a chain that is too long gives one more than maxActors.
func readActors(members map[string]json.RawMessage) (actors []string, err error) {
	for len(actors) <= maxActors {
		act, err := member[map[string]json.RawMessage](members, "act")
		if err != nil || act == nil {
			return actors, err
		}
		subject, err := member[string](*act, "sub")
		if err != nil {
			return nil, err
		}
		if subject == nil {
			subject = new(string)
		}
		actors = append(actors, *subject)
		members = *act
	}
	return actors, nil
}

// usableActors reports whether all who act in a caller's place can be put on record.
func usableActors(subject string, actors []string) bool {
	if len(actors) > maxActors || slices.ContainsFunc(actors, func(actor string) bool { return !trustedID(actor) }) {
		return false
	}
	return len(Identity{Subject: subject, Actors: actors}.Caller()) <= ids.MaxRunes*utf8.UTFMax
}

// Caller names the caller for a record: the subject, and behind it those who act in the subject's place. It is as long as the
// longest id at most.
func (id Identity) Caller() string {
	if len(id.Actors) == 0 {
		return id.Subject
	}
	return fmt.Sprintf("%s (actor %q)", id.Subject, id.Actors)
}
