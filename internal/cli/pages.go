package cli

import (
	"context"
	"errors"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
)

// pages are a list that is read page by page.
type pages[Request, Reply any] struct {
	ask  func(admin.Client, context.Context, Request) (Reply, error)   // through a server
	read func(context.Context, storage.Engine, Request) (Reply, error) // without one
}

// each reads one page after the other, through the running server where there is one, and holds no more than one of them. take gets each
// and returns what to ask for next, nil for nothing more.
func (p pages[Request, Reply]) each(ctx context.Context, place storage.Place, first Request, take func(Reply) (next *Request, err error)) error {
	begun := false
	walk := func(page func(Request) (Reply, error)) error {
		for next := &first; next != nil; begun = true {
			reply, err := page(*next)
			if err != nil {
				return err
			}
			if next, err = take(reply); err != nil {
				return err
			}
		}
		return nil
	}
	server := serverOf(place)
	err := walk(func(req Request) (Reply, error) { return p.ask(server, ctx, req) })
	if errors.Is(err, admin.ErrNoServer) && !begun {
		err = withStore(ctx, place, false, func(store storage.Engine) error {
			return walk(func(req Request) (Reply, error) { return p.read(ctx, store, req) })
		})
	}
	return err
}
