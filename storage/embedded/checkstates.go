package embedded

import (
	"context"
	"fmt"
	"slices"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// checkState compares the state of one user with the user's picture and with the organisation.
func (c *checker) checkState(ctx context.Context, u checkedUser) error {
	f := storage.Finding{}
	switch {
	case u.state > storage.Ended:
		f.Detail = fmt.Sprintf("the user has the state %d, which no user may have", u.state)
	case u.organization > storage.Ending:
		f.Detail = fmt.Sprintf("the organisation of the user has the state %d, which none may have", u.organization)
	case u.state.On() && !u.organization.On():
		f.Detail = "the user is registered in an organisation that is off the record"
	case !u.state.On() && slices.ContainsFunc(u.living, func(g slotRow) bool { return g.state == stateActive }):
		f.Detail = "the user is off the record and has a picture"
	default:
		return nil
	}
	return c.contradiction(ctx, f, u.uid, slab.GenerationID{})
}
