package cli

import (
	"context"
	"encoding/json"
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
	lists := pages[admin.ListRequest, admin.ListReply]{admin.Client.List, func(ctx context.Context, store storage.Engine, req admin.ListRequest) (admin.ListReply, error) {
		return admin.ListPage(ctx, store, req)
	}}
	err = lists.each(ctx, inv.placeOf(cfg), req, func(reply admin.ListReply) (*admin.ListRequest, error) {
		shown += len(reply.Users) + len(reply.Organizations)
		if err := printPage(inv.Stdout, flags.JSON, reply); err != nil || reply.Next == nil {
			return nil, err
		}
		req.Query.After = *reply.Next
		return &req, nil
	})
	return shown, err
}

func printPage(w io.Writer, asJSON bool, page admin.ListReply) (err error) {
	var items []any
	for _, u := range page.Users {
		items = append(items, u)
	}
	for _, o := range page.Organizations {
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
	}
	return nil
}
