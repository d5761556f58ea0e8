package cli

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// maxOrgRemoval bounds how many users go with their organisation. They go one after the other, each with the syncs of an erasure.
const maxOrgRemoval = 10_000

// orgRemoveCommand is "org remove".
type orgRemoveCommand struct {
	settingFlags
	Org  string `arg:"" name:"ORG" help:"id of the organisation"`
	JSON bool   `name:"json" help:"print what was removed as JSON"`
}

// removedOrg is what --json prints of an organisation that is gone.
type removedOrg struct {
	Organization string `json:"organisation"`
	Users        int    `json:"users"`
	Pictures     int    `json:"pictures"` // of those users
}

func (o removedOrg) String() string {
	if o.Users == 0 {
		return fmt.Sprintf("organisation %s removed; there were no users", o.Organization)
	}
	return fmt.Sprintf("organisation %s removed with %s; %s erased", o.Organization, countOf(int64(o.Users), "user"), countOf(int64(o.Pictures), "picture"))
}

func (flags *orgRemoveCommand) Run(ctx context.Context, inv *Program) error {
	org := flags.Org
	if !ids.Valid(org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", org)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	run := orgRemovalRun{inv: inv, org: org, done: removedOrg{Organization: org}, limit: maxOrgRemoval, quiet: flags.JSON && !isTerminal(inv.Stderr)}
	err = admin.CheckNotConfigured(cfg.StartOrganizations(), org)
	if err == nil {
		err = withRemovals(ctx, inv.placeOf(cfg), func(calls admin.Removals) error { return run.remove(ctx, calls) })
	}
	if err != nil {
		return fmt.Errorf("organisation %s: %w", org, err)
	}
	return printRemoved(inv, flags.JSON, run.done)
}

// orgRemovalRun removes an organisation. It can be cut short after any user, and another run goes on.
type orgRemovalRun struct {
	inv   *Program
	org   string
	limit int
	quiet bool // show no progress
	done  removedOrg
}

func (r *orgRemovalRun) remove(ctx context.Context, calls admin.Removals) error {
	if _, err := calls.RemoveOrganization(ctx, admin.OrganizationRemoval{Organization: r.org, Check: true}); err != nil {
		return err
	}
	users, err := r.users(ctx, calls)
	if err != nil {
		return err
	}
	if handled, err := r.removeUsers(ctx, calls, users); err != nil {
		return fmt.Errorf("%d of %s removed, then: %w; the same command again goes on", handled, countOf(int64(len(users)), "user"), err)
	}
	_, err = calls.RemoveOrganization(ctx, admin.OrganizationRemoval{Organization: r.org})
	return err
}

// users lists the users of the organisation, up to the limit.
func (r *orgRemovalRun) users(ctx context.Context, calls admin.Removals) (users []admin.UserRemoval, err error) {
	req := admin.ListRequest{Query: storage.UserQuery{Organization: r.org}}
	for {
		page, err := calls.List(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			users = append(users, admin.UserRemoval{User: u.User, Issuer: u.Issuer, Organization: r.org})
		}
		if len(users) > r.limit {
			return nil, fmt.Errorf("it has more than %d users, which is more than this version removes at once; nothing was removed", r.limit)
		}
		if page.Next == nil {
			return users, nil
		}
		req.Query.After = *page.Next
	}
}

// removeUsers removes users one after the other. A user who was removed or moved meanwhile is not a failure.
func (r *orgRemovalRun) removeUsers(ctx context.Context, calls admin.Removals, users []admin.UserRemoval) (handled int, err error) {
	bar := &progress{} // that nobody sees
	if !r.quiet && len(users) > 0 {
		bar = startProgress(r.inv.Stderr, "removing users", len(users))
		defer bar.finish()
	}
	for _, user := range users {
		if ctx.Err() != nil {
			return handled, errors.New("interrupted")
		}
		reply, err := calls.RemoveUser(context.WithoutCancel(ctx), user) // a removal that has begun is finished
		if err != nil {
			return handled, err
		}
		handled++
		bar.add(1)
		if reply.Removed == nil {
			continue
		}
		r.done.Users++
		if reply.Removed.HadPicture {
			r.done.Pictures++
		}
	}
	return handled, nil
}
