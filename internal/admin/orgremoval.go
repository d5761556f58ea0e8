package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/erasure"
)

// OrganizationRemoval asks for an organisation to be ended with its users. The answer is one OrganizationRemovalReply a line.
type OrganizationRemoval struct {
	Organization string `json:"organisation"`
}

// OrganizationRemovalReply is one line. The last one has Removed, and the error if there was one.
type OrganizationRemovalReply struct {
	Progress *RemovalProgress     `json:"progress,omitempty"`
	Removed  *RemovedOrganization `json:"removed,omitempty"`
	Error    string               `json:"error,omitempty"`
}

// RemovalProgress is how many users are erased, and how many there were at the beginning.
type RemovalProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// RemovedOrganization is what --json prints of an organisation that is gone.
type RemovedOrganization struct {
	Organization string `json:"organisation"`
	Users        int64  `json:"users"`
	Pictures     int64  `json:"pictures"` // of those users
}

// CheckNotConfigured refuses to end what the configuration has registered.
func CheckNotConfigured(configured []string, org string) error {
	if !slices.Contains(configured, org) {
		return nil
	}
	return fmt.Errorf("%w: the settings register it; take it out of organisations and default_organisation, and restart the server, first", ErrRefused)
}

// RemoveOrganization ends an organisation and erases its users, and says what it has done in any case. configured are those that may not
// be ended. Errors other than ErrRefused, and those of ctx, say that the same again goes on.
func RemoveOrganization(ctx context.Context, store storage.Store, org string, configured []string, progress func(done, total int64)) (RemovedOrganization, error) {
	removed := RemovedOrganization{Organization: org}
	if err := checkOrganizationID(org); err != nil {
		return removed, err
	}
	if err := CheckNotConfigured(configured, org); err != nil {
		return removed, err
	}
	state, err := store.OrganizationState(ctx, org)
	if err == nil && state == storage.Removed {
		err = checkOrganization(ctx, store, org, "")
	}
	if err != nil {
		return removed, err
	}
	total, err := countUsers(ctx, store, org)
	if err != nil {
		return removed, err
	}
	sum, err := erasure.Organization(ctx, store, org, CommandLine, func(sum erasure.Summary) { progress(sum.Users, total) })
	removed.Users, removed.Pictures = sum.Users, sum.Pictures
	switch {
	case errors.Is(err, erasure.ErrLifted), errors.Is(err, storage.ErrOrganizationInUse):
		err = fmt.Errorf("%w: it was registered again meanwhile, with \"avatard org add\"", ErrRefused)
	case err != nil && ctx.Err() == nil:
		err = fmt.Errorf("%w; the same command again goes on", err)
	}
	return removed, err
}

// countUsers counts the users of an organisation, for showing progress.
func countUsers(ctx context.Context, store storage.Store, org string) (users int64, err error) {
	for q := (storage.UserQuery{Organization: org}); ; {
		page, err := store.ListUsers(ctx, q)
		users += int64(len(page.Users))
		if q.After = page.Next; err != nil || q.After == (storage.UserKey{}) {
			return users, err
		}
	}
}

// orgRemoval serves POST /erasures/org. It ends when its caller is gone or the server stops, behind the users it has begun with.
func (a *Server) orgRemoval(w http.ResponseWriter, r *http.Request) {
	var req OrganizationRemoval
	if !readRequest(w, r, &req) {
		return
	}
	ctx, cancel, out := a.answerLines(w, r)
	defer cancel()
	removed, err := RemoveOrganization(ctx, a.Store, req.Organization, a.Configured, func(done, total int64) {
		if time.Since(out.last) >= progressEvery && out.line(OrganizationRemovalReply{Progress: &RemovalProgress{done, total}}) != nil {
			cancel()
		}
	})
	log := a.Logger.With("path", r.URL.Path, "organisation", req.Organization, "users", removed.Users, "pictures", removed.Pictures)
	logCall(log, err == nil, err)
	last := OrganizationRemovalReply{Removed: &removed}
	if err != nil {
		last.Error = removalProblem(err)
	}
	_ = out.line(last) // the caller is gone when this fails
}

// removalProblem is what a caller is told of a removal that failed.
func removalProblem(err error) string {
	switch {
	case errors.Is(err, ErrRefused):
		return err.Error()
	case errors.Is(err, context.Canceled):
		return "the server is stopping; the same command again goes on"
	case errors.Is(err, erasure.ErrUnfinished):
		return erasure.ErrUnfinished.Error() + ": the server's log says who and why; the same command again goes on"
	case errors.Is(err, storage.ErrUnavailable):
		return "the store is not available now, and the server's log says more; the same command again goes on"
	default:
		return "it could not be finished, and the server's log says more; the same command again goes on"
	}
}
