package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"

	"avatard/internal/ids"
	"avatard/storage"
)

// maxOrgRemoval bounds how many users go with their organisation. They go one after the other, each with the syncs of an erasure.
const maxOrgRemoval = 10_000

// orgRemoveFlags are the flags of org remove.
type orgRemoveFlags struct {
	*configFlags
	json bool
}

func newOrgRemoveFlags(fs *flag.FlagSet) *orgRemoveFlags {
	f := &orgRemoveFlags{configFlags: addConfigFlags(fs, "data")}
	fs.BoolVar(&f.json, "json", false, "print what was removed as JSON")
	return f
}

// orgRemoval asks for an organisation without users to be removed, or whether it may be.
type orgRemoval struct {
	Organization string `json:"organisation"`
	Check        bool   `json:"check,omitempty"`
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

func runOrgRemove(ctx context.Context, inv *invocation, args []string) error {
	fs := newFlagSet("org remove")
	flags := newOrgRemoveFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("org remove takes one organisation id")
	}
	org := words[0]
	if !ids.Valid(org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", org)
	}
	cfg, err := readConfig(inv.environ, flags.configFlags, "data")
	if err != nil {
		return err
	}
	run := orgRemovalRun{inv: inv, org: org, done: removedOrg{Organization: org}, limit: maxOrgRemoval, quiet: flags.json && !isTerminal(inv.stderr)}
	err = checkNotConfigured(cfg.organizations(), org)
	if err == nil {
		err = withRemovals(ctx, cfg.Data, func(calls removalCalls) error { return run.remove(ctx, calls) })
	}
	if err != nil {
		return fmt.Errorf("organisation %s: %w", org, err)
	}
	return printRemoved(inv, flags.json, run.done)
}

// checkNotConfigured refuses what would be back after the next start.
func checkNotConfigured(configured []string, org string) error {
	if !slices.Contains(configured, org) {
		return nil
	}
	return fmt.Errorf("%w: each start of the server registers it again; take it out of the settings organisations and default_organisation, and restart the server, first", errRefused)
}

// orgRemovalRun removes an organisation. It can be cut short after any user, and another run goes on.
type orgRemovalRun struct {
	inv   *invocation
	org   string
	limit int
	quiet bool // show no progress
	done  removedOrg
}

func (r *orgRemovalRun) remove(ctx context.Context, calls removalCalls) error {
	if _, err := calls.org(ctx, orgRemoval{r.org, true}); err != nil {
		return err
	}
	users, err := r.users(ctx, calls)
	if err != nil {
		return err
	}
	if handled, err := r.removeUsers(ctx, calls, users); err != nil {
		return fmt.Errorf("%d of %s removed, then: %w; the same command again goes on", handled, countOf(int64(len(users)), "user"), err)
	}
	_, err = calls.org(ctx, orgRemoval{r.org, false})
	return err
}

// users lists the users of the organisation, up to the limit.
func (r *orgRemovalRun) users(ctx context.Context, calls removalCalls) (users []userRemoval, err error) {
	req := listRequest{Query: storage.UserQuery{Organization: r.org}}
	for {
		page, err := calls.list(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			users = append(users, userRemoval{u.User, u.Issuer, r.org})
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

// removeUsers removes users one after the other. One who was removed or moved meanwhile is no failure.
func (r *orgRemovalRun) removeUsers(ctx context.Context, calls removalCalls, users []userRemoval) (handled int, err error) {
	bar := &progress{} // that nobody sees
	if !r.quiet && len(users) > 0 {
		bar = startProgress(r.inv.stderr, "removing users", len(users))
		defer bar.finish()
	}
	for _, user := range users {
		if ctx.Err() != nil {
			return handled, errors.New("interrupted")
		}
		reply, err := calls.user(context.WithoutCancel(ctx), user) // who is begun is finished
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

// removeOrganization removes an organisation that has no users, or says whether it may be removed. configured are those that may not.
func removeOrganization(ctx context.Context, store storage.Store, req orgRemoval, configured []string) (reply adminResponse, err error) {
	if !ids.Valid(req.Organization) {
		return reply, fmt.Errorf("%w: %q is no organisation id; expected 1 to 200 characters without control characters", errRefused, req.Organization)
	}
	if err := checkNotConfigured(configured, req.Organization); err != nil {
		return reply, err
	}
	if req.Check {
		err = checkOrganization(ctx, store, req.Organization, "")
		return adminResponse{Created: err == nil}, err
	}
	removed, err := store.RemoveOrganization(ctx, req.Organization, commandLine)
	if errors.Is(err, storage.ErrOrganizationInUse) {
		return reply, fmt.Errorf("%w: users were registered in it meanwhile; the same command again removes them, too", errRefused)
	}
	return adminResponse{Created: removed}, err
}

// orgRemoval serves POST /removals/org.
func (a *admin) orgRemoval(w http.ResponseWriter, r *http.Request) {
	respond(a, w, r, func(ctx context.Context, req orgRemoval) (adminResponse, error) {
		reply, err := removeOrganization(ctx, a.store, req, a.configured)
		if err != nil || !req.Check {
			logAdmin(a.logger.With("path", r.URL.Path, "organisation", req.Organization), reply.Created, err)
		}
		return reply, err
	})
}
