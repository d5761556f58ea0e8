package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"avatard/internal/ids"
	"avatard/storage"
)

// listFlags are the flags of org list, user list and user show.
type listFlags struct {
	*configFlags
	json bool
	org  string
}

func newListFlags(fs *flag.FlagSet) *listFlags {
	f := &listFlags{configFlags: addConfigFlags(fs, "data")}
	fs.BoolVar(&f.json, "json", false, "print a line of JSON for each")
	return f
}

func newUserListFlags(fs *flag.FlagSet) *listFlags {
	f := newListFlags(fs)
	fs.StringVar(&f.org, "org", "", "only users of `ORG`")
	return f
}

func runOrgList(ctx context.Context, inv *avatardProgram, args []string) error {
	fs := newFlagSet("org list")
	flags := newListFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("org list takes flags only, not %q", words[0])
	}
	_, err = printList(ctx, inv, flags, listRequest{Organizations: true})
	return err
}

func runUserList(ctx context.Context, inv *avatardProgram, args []string) error {
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
	_, err = printList(ctx, inv, flags, listRequest{Query: storage.UserQuery{Organization: flags.org}})
	return err
}

func runUserShow(ctx context.Context, inv *avatardProgram, args []string) error {
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
	shown, err := printList(ctx, inv, flags, listRequest{Query: storage.UserQuery{ID: words[0]}})
	if err == nil && shown == 0 {
		return fmt.Errorf("user %s is not registered", words[0])
	}
	return err
}

// printList prints a list page by page, through the running server where there is one, and returns how many it had. Users who are added
// meanwhile may be in it or not.
func printList(ctx context.Context, inv *avatardProgram, flags *listFlags, req listRequest) (shown int, err error) {
	cfg, err := readConfig(inv.environ, flags.configFlags, "data")
	if err != nil {
		return 0, err
	}
	ask := func(req listRequest) (reply listReply, err error) {
		return newAdminClient(cfg.Data).list(ctx, req)
	}
	err = printPages(inv.stdout, flags.json, req, ask, &shown)
	if errors.Is(err, errNoServer) && shown == 0 {
		if err := hasDatabase(cfg.Data); err != nil {
			return 0, err
		}
		_, err = withStore(ctx, cfg.Data, func(store storage.Store) (bool, error) {
			return false, printPages(inv.stdout, flags.json, req, func(req listRequest) (listReply, error) { return listPage(ctx, store, req) }, &shown)
		})
	}
	return shown, err
}

func printPages(w io.Writer, asJSON bool, req listRequest, ask func(listRequest) (listReply, error), shown *int) error {
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
