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
	// DryRun counts who would be removed, and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// OrganizationRemovalReply is one line. The last one has Removed, and the error if there was one.
type OrganizationRemovalReply struct {
	Progress *RemovalProgress     `json:"progress,omitempty"`
	Removed  *RemovedOrganization `json:"removed,omitempty"`
	Error    string               `json:"error,omitempty"`
}

// RemovalProgress is how many users are erased, and how many there were at the beginning; in a dry run how many are counted, and 0.
type RemovalProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// RemovedOrganization is what --json prints of an organisation that is gone.
type RemovedOrganization struct {
	Organization string `json:"organisation"`
	Users        int64  `json:"users"`
	Pictures     int64  `json:"pictures"`          // of those users
	DryRun       bool   `json:"dry_run,omitempty"` // they would go, and nothing was changed
}

// CheckNotConfigured refuses to end what the configuration has registered.
func CheckNotConfigured(configured []string, org string) error {
	if !slices.Contains(configured, org) {
		return nil
	}
	return fmt.Errorf("%w: the settings register it; take it out of organisations and default_organisation, and restart the server, first", ErrRefused)
}

// RemoveOrganization ends an organisation and erases its users, and says what it has done in any case. configured are those that may not
// be ended. Errors other than ErrRefused, and those of ctx, say that the same again goes on. A dry run only counts.
func RemoveOrganization(ctx context.Context, store storage.Store, req OrganizationRemoval, configured []string, progress func(done, total int64)) (RemovedOrganization, error) {
	removed := RemovedOrganization{Organization: req.Organization, DryRun: req.DryRun}
	if err := checkRemoval(ctx, store, req.Organization, configured); err != nil {
		return removed, err
	}
	counting := func(int64) {}
	if req.DryRun {
		counting = func(users int64) { progress(users, 0) }
	}
	users, pictures, err := countUsers(ctx, store, req.Organization, counting)
	if req.DryRun {
		removed.Users, removed.Pictures = users, pictures
	}
	if err != nil || req.DryRun {
		return removed, err
	}
	sum, err := erasure.Organization(ctx, store, req.Organization, CommandLine, func(sum erasure.Summary) { progress(sum.Users, users) })
	removed.Users, removed.Pictures = sum.Users, sum.Pictures
	switch {
	case errors.Is(err, erasure.ErrLifted), errors.Is(err, storage.ErrOrganizationInUse):
		err = fmt.Errorf("%w: it was registered again meanwhile, with \"avatard org add\"", ErrRefused)
	case err != nil && ctx.Err() == nil:
		err = fmt.Errorf("%w; the same command again goes on", err)
	}
	return removed, err
}

// checkRemoval refuses what is no organisation that may be ended, or that was.
func checkRemoval(ctx context.Context, store storage.Store, org string, configured []string) error {
	if err := checkOrganizationID(org); err != nil {
		return err
	}
	if err := CheckNotConfigured(configured, org); err != nil {
		return err
	}
	state, err := store.OrganizationState(ctx, org)
	if err == nil && state == storage.Removed {
		err = checkOrganization(ctx, store, org, "")
	}
	return err
}

// countUsers counts the users of an organisation, and how many of them have a picture. progress is called behind each page.
func countUsers(ctx context.Context, store storage.Store, org string, progress func(users int64)) (users, pictures int64, err error) {
	for q := (storage.UserQuery{Organization: org}); ; {
		page, err := store.ListUsers(ctx, q)
		if err != nil {
			return users, pictures, err
		}
		users += int64(len(page.Users))
		for _, u := range page.Users {
			if storage.WithPicture.Admits(u.Info) {
				pictures++
			}
		}
		progress(users)
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			return users, pictures, nil
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
	removed, err := RemoveOrganization(ctx, a.Store, req, a.Configured, func(done, total int64) {
		if time.Since(out.last) >= progressEvery && out.line(OrganizationRemovalReply{Progress: &RemovalProgress{done, total}}) != nil {
			cancel()
		}
	})
	log := a.Logger.With("path", r.URL.Path, "organisation", req.Organization, "users", removed.Users, "pictures", removed.Pictures)
	logCall(log, err == nil && !req.DryRun, err)
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
