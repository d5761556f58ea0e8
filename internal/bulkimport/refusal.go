package bulkimport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"example.org/avatard/internal/client"
)

// Reason is why an item is not imported, or not known to be there, as a word that programs match on.
type Reason string

// The reasons.
const (
	BadName     Reason = "name"        // the name is not that of a user's picture
	Duplicate   Reason = "duplicate"   // several items for one user
	NotAFile    Reason = "not-a-file"  // a symbolic link, a folder, a pipe, a device
	TooLarge    Reason = "too-large"   // over a limit of bytes
	NotAPicture Reason = "picture"     // the server does not take it
	UnknownUser Reason = "user"        // nobody of that id in the organisation
	HasPicture  Reason = "has-picture" // the user has another picture
	Changed     Reason = "changed"     // another picture of the user was imported before
	Failed      Reason = "failed"      // it may go well another time
	Unverified  Reason = "unverified"  // it was uploaded, and not read back as it was
)

// Refusal is an item that is not imported, or Unverified.
type Refusal struct {
	Name string `json:"file"`
	// Bytes is the name, where JSON has no way to write it: it is not UTF-8. nil = Name is exact.
	Bytes  []byte `json:"fileBytes,omitempty"`
	User   string `json:"user,omitempty"`
	Reason Reason `json:"reason"`
	// Text is for people.
	Text string `json:"text"`
}

// RefusedError is a Refusal on its way, see Refuse.
type RefusedError struct{ Refusal }

func (e *RefusedError) Error() string { return e.Text }

// Refuse returns an error that refuses the item at which it comes up, and no other.
func Refuse(reason Reason, text string) error {
	return &RefusedError{Refusal{Reason: reason, Text: text}}
}

// Line is a refusal as a line for people. Names of files may hold anything.
func (r *Refusal) Line() string {
	what := "not imported"
	if r.Reason == Unverified {
		what = "imported"
	}
	return fmt.Sprintf("%q is %s (%s): %s", r.Name, what, r.Reason, r.Text)
}

func newRefusal(item Item, reason Reason, text string) *Refusal {
	r := &Refusal{Name: item.Name, User: item.User, Reason: reason, Text: text}
	if !utf8.ValidString(item.Name) {
		r.Bytes = []byte(item.Name)
	}
	return r
}

// ownTrouble makes a refusal of an error that concerns one item alone; false for one that would meet the others, too.
func ownTrouble(item Item, err error) (*Refusal, bool) {
	if err == nil {
		return nil, false
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return newRefusal(item, refused.Reason, refused.Text), true
	}
	answer, isAnswer := errors.AsType[*client.Error](err)
	reason := Failed
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, client.ErrNotPermitted), errors.Is(err, client.ErrUnreachable):
		return nil, false
	case isAnswer && answer.Status == http.StatusRequestEntityTooLarge:
		reason = TooLarge
	case errors.Is(err, client.ErrRefused):
		reason = NotAPicture
	case errors.Is(err, client.ErrNotFound):
		reason = UnknownUser
	case !isAnswer, answer.Status == http.StatusNotFound, answer.Status < http.StatusBadRequest: // that is no avatard
		return nil, false
	}
	return newRefusal(item, reason, err.Error()), true
}
