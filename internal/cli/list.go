package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// listFlags are the flags of org list, user list and user show.
type listFlags struct {
	settingFlags
	JSON bool `name:"json" help:"print a line of JSON for each"`
}

// orgListCommand is "org list".
type orgListCommand struct{ listFlags }

// userListCommand is "user list".
type userListCommand struct {
	listFlags
	Org string `placeholder:"ORG" help:"only users of this organisation"`
}

// userShowCommand is "user show".
type userShowCommand struct {
	listFlags
	User string `arg:"" name:"USER" help:"id of the users"`
}

func (flags *orgListCommand) Run(ctx context.Context, inv *Program) error {
	_, err := printList(ctx, inv, &flags.listFlags, admin.ListRequest{Organizations: true})
	return err
}

func (flags *userListCommand) Run(ctx context.Context, inv *Program) error {
	if flags.Org != "" && !ids.Valid(flags.Org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.Org)
	}
	_, err := printList(ctx, inv, &flags.listFlags, admin.ListRequest{Query: storage.UserQuery{Organization: flags.Org}})
	return err
}

func (flags *userShowCommand) Run(ctx context.Context, inv *Program) error {
	if !ids.Valid(flags.User) {
		return usagef("%q is no user id; expected 1 to 200 characters without control characters", flags.User)
	}
	shown, err := printList(ctx, inv, &flags.listFlags, admin.ListRequest{Query: storage.UserQuery{ID: flags.User}})
	if err == nil && shown == 0 {
		return fmt.Errorf("user %s is not registered", flags.User)
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
	place := inv.placeOf(cfg)
	ask := func(req admin.ListRequest) (reply admin.ListReply, err error) {
		return serverOf(place).List(ctx, req)
	}
	err = printPages(inv.Stdout, flags.JSON, req, ask, &shown)
	if errors.Is(err, admin.ErrNoServer) && shown == 0 {
		err = withStore(ctx, place, false, func(store storage.Engine) error {
			return printPages(inv.Stdout, flags.JSON, req, func(req admin.ListRequest) (admin.ListReply, error) { return admin.ListPage(ctx, store, req) }, &shown)
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
