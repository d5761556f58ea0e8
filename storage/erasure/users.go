package erasure

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"example.org/avatard/storage"
)

// run is one erasure.
type run struct {
	store    storage.Store
	org      string
	by       storage.Origin
	progress func(Summary)
	passes   int // begun

	mu     sync.Mutex
	sum    Summary
	failed map[storage.UserKey]*failure
}

// failure is how often a user could not be erased, why not the last time, and the last pass that found the user in the list.
type failure struct {
	times, listed int
	err           error
}

// erase erases the users of a page but for those who have failed twice, and returns how many it has begun with. It returns when all those
// are done.
func (r *run) erase(ctx context.Context, page []storage.ListedUser) (begun int) {
	users := make(chan storage.ListedUser)
	var running sync.WaitGroup
	for range min(workers, len(page)) {
		running.Go(func() {
			for u := range users {
				r.user(ctx, u)
			}
		})
	}
	for _, u := range page {
		if ctx.Err() != nil || r.hopeless() {
			break
		}
		if !r.givenUp(u.User) {
			begun++
			users <- u
		}
	}
	close(users)
	running.Wait()
	return begun
}

// givenUp reports whether a user of the list has failed twice.
func (r *run) givenUp(user storage.UserKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.failed[user]
	if f == nil {
		return false
	}
	f.listed = r.passes
	return f.times > 1
}

// hopeless reports whether so many users have failed that others will, too.
func (r *run) hopeless() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed) > maxFailed
}

// user erases a user, and finishes that although the caller may leave.
func (r *run) user(ctx context.Context, u storage.ListedUser) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), userLimit)
	defer cancel()
	_, err := r.store.EraseUser(ctx, storage.Removal{User: u.User, Organization: r.org, By: r.by})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.sum.Users++
		if u.Generation != "" {
			r.sum.Pictures++
		}
	case errors.Is(err, storage.ErrUserNotFound), errors.Is(err, storage.ErrOtherOrganization):
		// The user was erased, or given to another organisation or issuer, since the list was read.
	default:
		if r.failed[u.User] == nil {
			r.failed[u.User] = &failure{listed: r.passes}
		}
		f := r.failed[u.User]
		f.times, f.err = f.times+1, err
		return
	}
	delete(r.failed, u.User)
	r.progress(r.sum)
}

// failures returns the users who could not be erased, in their order.
func (r *run) failures() (failures []Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for user, f := range r.failed {
		failures = append(failures, Failure{user, f.err})
	}
	slices.SortFunc(failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.User.Issuer, b.User.Issuer), cmp.Compare(a.User.ID, b.User.ID))
	})
	return failures
}
