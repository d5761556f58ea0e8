// Package erasure ends organisations with everybody in them, for whatever calls for it: a command or a server. It works through the
// contract alone.
//
//	EndOrganization, the durable intent ─► page of users ─► EraseUser, a few at a time ─► … ─► nobody is left ─► RemoveOrganization
//
// Nothing remembers how far an erasure has come but the list of users, which gets shorter: whatever ends one, the next goes on.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"example.org/avatard/storage"
)

const (
	// workers is how many users are erased at once. A few fill the group commits of an engine, and leave most of it to its callers.
	workers = 4
	// maxFailed bounds the users who could not be erased before an erasure is given up: then it is not they who are the cause.
	maxFailed = 100
	// maxPasses bounds how often the list is read: once for everybody, once for those who failed, once to see that nobody is left, and the
	// rest for users who were given to another issuer meanwhile.
	maxPasses = 8
	// userLimit bounds one user's erasure, which goes on when the caller leaves.
	userLimit = 30 * time.Second
)

var (
	// ErrLifted: an administrator has registered the organisation again while its users were erased. Nobody more is erased.
	ErrLifted = errors.New("the organisation was registered again meanwhile")
	// ErrUnfinished: users are left who could not be erased. It is wrapped together with the cause of one of them.
	ErrUnfinished = errors.New("users are left who could not be erased")
)

// Summary is what an erasure has done so far.
type Summary struct {
	// Users were erased by this call, Pictures is how many of them had one.
	Users, Pictures int64
	// Ended: this call took the organisation off the record, for good.
	Ended bool
	// Failed are those who could not be erased, by issuer and id. It is set when the call returns.
	Failed []Failure
}

// Failure is a user who could not be erased, and why.
type Failure struct {
	User storage.UserKey
	Err  error
}

// Organization ends an organisation and erases its users. Those who cannot be erased are tried once more when all others are gone. It returns nil when
// the organisation is off the record; for one that has ended it changes nothing. The summary says what was done in any case.
//
// progress, unless it is nil, is called behind each user, never twice at once. It must not wait: other users wait for it.
//
// When ctx ends it returns that error behind the users whose erasure has begun. Other errors are ErrLifted, ErrUnfinished, and those of the store,
// such as storage.ErrOrganizationNotFound and, where the organisation cannot be listed or ended now, storage.ErrUnavailable. After any of them the
// same call goes on, where the organisation is still ending.
func Organization(ctx context.Context, store storage.Store, org string, by storage.Origin, progress func(Summary)) (Summary, error) {
	if progress == nil {
		progress = func(Summary) {}
	}
	r := &run{store: store, org: org, by: by, progress: progress, failed: map[storage.UserKey]*failure{}}
	err := r.end(ctx)
	r.sum.Failed = r.failures()
	return r.sum, err
}

func (r *run) end(ctx context.Context) error {
	if _, err := r.store.EndOrganization(ctx, r.org, r.by); err != nil {
		return err
	}
	for r.passes < maxPasses {
		r.passes++
		tried, err := r.pass(ctx)
		if err != nil {
			return err
		}
		if tried == 0 {
			return r.remove(ctx)
		}
	}
	return fmt.Errorf("%w: the list of users changes all the time", ErrUnfinished)
}

// pass tries everybody in the list who has not failed twice, and returns how many those were.
func (r *run) pass(ctx context.Context) (tried int, err error) {
	for q := (storage.UserQuery{Organization: r.org}); ; {
		state, err := r.store.OrganizationState(ctx, r.org)
		if err == nil && !state.Refuses() {
			err = ErrLifted
		}
		if err != nil {
			return tried, err
		}
		page, err := r.store.ListUsers(ctx, q)
		if err != nil {
			return tried, err
		}
		tried += r.erase(ctx, page.Users)
		if err := ctx.Err(); err != nil {
			return tried, err
		}
		if r.hopeless() {
			return tried, r.unfinished()
		}
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			return tried, nil
		}
	}
}

// remove takes the organisation off the record, in which nobody is left but those who failed. Some of them may be gone all the same.
func (r *run) remove(ctx context.Context) error {
	maps.DeleteFunc(r.failed, func(_ storage.UserKey, f *failure) bool { return f.listed < r.passes })
	if len(r.failed) > 0 {
		return r.unfinished()
	}
	removed, err := r.store.RemoveOrganization(ctx, r.org, r.by)
	if err != nil && !errors.Is(err, storage.ErrOrganizationInUse) {
		return err
	}
	switch state, serr := r.store.OrganizationState(ctx, r.org); {
	case serr != nil:
		return serr
	case !state.Refuses(): // since the last page was read
		return ErrLifted
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	r.sum.Ended = removed
	return nil
}

func (r *run) unfinished() error {
	failed := r.failures()
	return fmt.Errorf("%w, %d of them, such as %s: %w", ErrUnfinished, len(failed), failed[0].User.ID, failed[0].Err)
}
