package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"avatard/internal/admin"
	"avatard/internal/config"
	"avatard/internal/ids"
	"avatard/storage"
)

// listFlags are the flags of org list, user list and user show.
type listFlags struct {
	*config.Flags
	json bool
	org  string
}

func newListFlags(fs *flag.FlagSet) *listFlags {
	f := &listFlags{Flags: config.AddFlags(fs, "data")}
	fs.BoolVar(&f.json, "json", false, "print a line of JSON for each")
	return f
}

func newUserListFlags(fs *flag.FlagSet) *listFlags {
	f := newListFlags(fs)
	fs.StringVar(&f.org, "org", "", "only users of `ORG`")
	return f
}

func runOrgList(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("org list")
	flags := newListFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("org list takes flags only, not %q", words[0])
	}
	_, err = printList(ctx, inv, flags, admin.ListRequest{Organizations: true})
	return err
}

func runUserList(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("user list")
	flags := newUserListFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("user list takes flags only, not %q", words[0])
	}
	if flags.org != "" && !ids.Valid(flags.org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.org)
	}
	_, err = printList(ctx, inv, flags, admin.ListRequest{Query: storage.UserQuery{Organization: flags.org}})
	return err
}

func runUserShow(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("user show")
	flags := newListFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("user show takes one user id")
	}
	if !ids.Valid(words[0]) {
		return usagef("%q is no user id; expected 1 to 200 characters without control characters", words[0])
	}
	shown, err := printList(ctx, inv, flags, admin.ListRequest{Query: storage.UserQuery{ID: words[0]}})
	if err == nil && shown == 0 {
		return fmt.Errorf("user %s is not registered", words[0])
	}
	return err
}

// printList prints a list page by page, through the running server where there is one, and returns how many it had. Users who are added
// meanwhile may be in it or not.
func printList(ctx context.Context, inv *Program, flags *listFlags, req admin.ListRequest) (shown int, err error) {
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return 0, err
	}
	ask := func(req admin.ListRequest) (reply admin.ListReply, err error) {
		return admin.NewClient(cfg.Data).List(ctx, req)
	}
	err = printPages(inv.Stdout, flags.json, req, ask, &shown)
	if errors.Is(err, admin.ErrNoServer) && shown == 0 {
		if err := hasDatabase(cfg.Data); err != nil {
			return 0, err
		}
		_, err = withStore(ctx, cfg.Data, func(store storage.Store) (bool, error) {
			return false, printPages(inv.Stdout, flags.json, req, func(req admin.ListRequest) (admin.ListReply, error) { return admin.ListPage(ctx, store, req) }, &shown)
		})
	}
	return shown, err
}

func printPages(w io.Writer, asJSON bool, req admin.ListRequest, ask func(admin.ListRequest) (admin.ListReply, error), shown *int) error {
	for {
		reply, err := ask(req)
		if err != nil {
			return err
		}
		var items []any
		for _, u := range reply.Users {
			items = append(items, u)
		}
		for _, o := range reply.Organizations {
			items = append(items, o)
		}
		for _, item := range items {
			if asJSON {
				err = json.NewEncoder(w).Encode(item)
			} else {
				_, err = fmt.Fprintln(w, item)
			}
			if err != nil {
				return err
			}
			*shown++
		}
		if reply.Next == nil {
			return nil
		}
		req.Query.After = *reply.Next
	}
}
