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

// eraseOrgCommand is "erase org", which is also called "org remove".
type eraseOrgCommand struct {
	settingFlags
	Org    string `arg:"" name:"ORG" help:"id of the organisation"`
	DryRun bool   `help:"say how many users and pictures would be removed, and change nothing"`
	JSON   bool   `name:"json" help:"print what was removed as JSON"`
}

// removedOrg is what is printed of an organisation that is gone.
type removedOrg struct{ admin.RemovedOrganization }

func (o removedOrg) String() string {
	switch {
	case o.DryRun && o.Users == 0:
		return fmt.Sprintf("organisation %s would be removed; there are no users; nothing was changed", o.Organization)
	case o.DryRun:
		return fmt.Sprintf("organisation %s would be removed with %s, and %s erased; nothing was changed", o.Organization, countOf(o.Users, "user"), countOf(o.Pictures, "picture"))
	case o.Users == 0:
		return fmt.Sprintf("organisation %s removed; there were no users", o.Organization)
	}
	return fmt.Sprintf("organisation %s removed with %s; %s erased", o.Organization, countOf(o.Users, "user"), countOf(o.Pictures, "picture"))
}

func (flags *eraseOrgCommand) Run(ctx context.Context, inv *Program) error {
	org := flags.Org
	if !ids.Valid(org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", org)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	if err := admin.CheckNotConfigured(cfg.StartOrganizations(), org); err != nil {
		return fmt.Errorf("organisation %s: %w", org, err)
	}
	run := orgErasure{inv: inv, req: admin.OrganizationRemoval{Organization: org, DryRun: flags.DryRun}, quiet: flags.JSON && !isTerminal(inv.Stderr)}
	removed, err := run.remove(ctx, inv.placeOf(cfg))
	if err != nil {
		return fmt.Errorf("organisation %s: %w", org, err)
	}
	return printRemoved(inv, flags.JSON, removed)
}

// orgErasure removes an organisation, or counts who would go with it. It can be cut short after any user, and another run goes on.
type orgErasure struct {
	inv   *Program
	req   admin.OrganizationRemoval
	quiet bool // show no progress
	bar   *progress
}

// remove goes through the server that has a place open, or opens the store when there is none.
func (r *orgErasure) remove(ctx context.Context, place storage.Place) (removedOrg, error) {
	removed, err := serverOf(place).RemoveOrganization(ctx, r.req, r.show)
	if errors.Is(err, admin.ErrNoServer) {
		err = withStore(ctx, place, false, func(store storage.Engine) (err error) {
			removed, err = admin.RemoveOrganization(ctx, store, r.req, nil, r.show)
			return err
		})
	}
	if r.bar != nil {
		r.bar.set(removed.Users, r.bar.total.Load()) // the last reports may have been left out
		r.bar.finish()
	}
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted; the same command again goes on")
	}
	if err != nil && removed.Users > 0 && !r.req.DryRun {
		err = fmt.Errorf("%s removed, then: %w", countOf(removed.Users, "user"), err)
	}
	return removedOrg{removed}, err
}

// show shows how many users are gone, or counted.
func (r *orgErasure) show(done, total int64) {
	if r.quiet {
		return
	}
	if r.bar == nil {
		what := "removing users"
		if r.req.DryRun {
			what = "counting users"
		}
		r.bar = startProgress(r.inv.Stderr, what, int(total))
	}
	r.bar.set(done, total)
}
