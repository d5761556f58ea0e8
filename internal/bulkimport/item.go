package bulkimport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"example.org/avatard/internal/client"
)

// do imports one item.
func (r *run) do(ctx context.Context, item Item) (outcome, error) {
	if item.Refused != nil {
		return 0, &RefusedError{*item.Refused}
	}
	data, err := item.Read(ctx)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(data)
	switch some, this := r.Journal.has(item.User, sum); {
	case this:
		return importedBefore, nil
	case some && !r.Replace: // the user may have deleted that picture since
		return 0, Refuse(Changed, "already imported, file changed since; --replace imports it")
	}
	became, err := r.upload(ctx, item, data)
	if err != nil {
		return 0, err
	}
	if err := r.Journal.add(item.User, sum); err != nil || became != imported || !r.Verify {
		return became, err
	}
	return became, r.verify(ctx, item, data) // the journal has it already: its user may delete it from now on
}

// upload makes a picture the user's, unless it is that already or the user has another one.
func (r *run) upload(ctx context.Context, item Item, data []byte) (outcome, error) {
	bound := client.Condition{OnlyFirst: true}
	if r.Replace {
		has, same, err := r.compare(ctx, item, data)
		if err != nil || same {
			return thereAlready, err
		}
		if has != "" {
			bound = client.Condition{Only: has}
		}
	}
	err := r.put(ctx, item, data, bound)
	if !errors.Is(err, client.ErrConditionFailed) {
		return imported, err
	}
	_, same, err := r.compare(ctx, item, data)
	switch {
	case err != nil || same:
		return thereAlready, err
	case r.Replace:
		return 0, Refuse(Failed, "the user's picture was changed at the same moment")
	}
	return 0, Refuse(HasPicture, "the user has another picture; --replace replaces it")
}

// put uploads, and registers the user if need be.
func (r *run) put(ctx context.Context, item Item, data []byte, bound client.Condition) error {
	to := client.Target{User: item.User, Organization: r.Organization}
	_, err := r.Server.Put(ctx, to, data, bound)
	if r.Register == nil || !errors.Is(err, client.ErrNotFound) {
		return err
	}
	if err := r.Register(ctx, item.User); err != nil {
		return err
	}
	_, err = r.Server.Put(ctx, to, data, bound)
	return err
}

// compare looks at the picture that the user has: its entity tag, "" for none, and whether it is what a server stores of data.
func (r *run) compare(ctx context.Context, item Item, data []byte) (tag string, same bool, err error) {
	got, err := r.Server.Get(ctx, client.Target{User: item.User, Organization: r.Organization})
	if errors.Is(err, client.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	r.normalizing.Lock()
	defer r.normalizing.Unlock()
	stored, err := r.Normalize(ctx, data)
	if err != nil {
		if ctx.Err() != nil {
			return "", false, ctx.Err()
		}
		return got.ETag, false, nil // the server has the last word on what a picture is
	}
	return got.ETag, bytes.Equal(stored, got.Data), nil
}

// verify reads back what was uploaded. What it finds wrong is the item's own trouble, and no reason to upload it again.
func (r *run) verify(ctx context.Context, item Item, data []byte) error {
	has, same, err := r.compare(ctx, item, data)
	_, ofItem := ownTrouble(item, err)
	switch {
	case ofItem:
		return Refuse(Unverified, "it was uploaded, and could not be read back: "+err.Error())
	case err != nil:
		return fmt.Errorf("it was uploaded, and could not be read back: %w", err)
	case has == "":
		return Refuse(Unverified, "it was uploaded, and is not there any more; its user may have deleted it since")
	case !same:
		return Refuse(Unverified, "it was uploaded, and the user has another picture by now")
	}
	return nil
}
