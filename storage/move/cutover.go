package move

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"example.org/avatard/storage"
)

// cutOver lets no change in, brings the rest, and puts on record that the target is what counts.
func (e *Engine) cutOver(ctx context.Context) error {
	e.changes.Lock()
	defer e.changes.Unlock()
	if err := e.settleDirty(ctx); err != nil {
		return err
	}
	if err := e.source.ErasuresDone(ctx); err != nil {
		return err
	}
	if err := e.noteRest(ctx); err != nil {
		return err
	}
	return e.depart(ctx)
}

// depart puts on record that the target is what counts. From then on the source answers nothing more; reads that have begun there end
// first. When that fails and yet may be on record, nothing is served until it is known: a next process would go on with a target that
// lacks what is changed meanwhile.
func (e *Engine) depart(ctx context.Context) error {
	gone := e.departure
	gone.Gone = true
	err := e.o.From.Depart(ctx, gone)
	if err == nil {
		e.departure = gone
		e.serve(nil)
		return nil
	}
	is, unknown := e.o.From.Departure(context.WithoutCancel(ctx))
	if unknown == nil && !is.Gone {
		e.serve(e.source)
		return err
	}
	e.serve(nil)
	return errors.Join(err, unknown)
}

// serve answers calls from a side, nil for none, as soon as those that are under way have ended.
func (e *Engine) serve(from storage.Engine) {
	e.calls.Lock()
	defer e.calls.Unlock()
	e.serving = from
}

// errDirty: some users were changed on one side alone since they were compared, and another pass has to see that all is well.
var errDirty = fmt.Errorf("%w: a removal was done on one side and failed on the other", storage.ErrUnavailable)

// settleDirty erases on the target the pictures of those whose removal failed on one side, unless the source still has them.
func (e *Engine) settleDirty(ctx context.Context) error {
	e.mu.Lock()
	dirty := slices.Collect(maps.Keys(e.dirty))
	e.mu.Unlock()
	for _, user := range dirty {
		has, err := hasPicture(ctx, e.source, user)
		if err == nil && !has {
			err = e.arrival.Follow(ctx, user, nil, false)
		}
		if err != nil {
			return err
		}
		e.note(user, false)
	}
	if len(dirty) > 0 {
		return errDirty
	}
	return nil
}

// hasPicture reports whether a user has a picture, whatever their organisation.
func hasPicture(ctx context.Context, s storage.Store, user storage.UserKey) (bool, error) {
	for q := (storage.UserQuery{ID: user.ID}); ; {
		page, err := s.ListUsers(ctx, q)
		if err != nil {
			return false, err
		}
		for _, u := range page.Users {
			if u.User == user {
				return u.Generation != "", nil
			}
		}
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			return false, nil
		}
	}
}

// noteRest brings the receipts and the records of the trail that came since the last pass. They are few: it holds up all changes.
func (e *Engine) noteRest(ctx context.Context) error {
	o := storage.ExportOptions{ReceiptsOnly: true, Trail: true, Since: &e.since, TrailAfter: e.trail}
	err := e.noteExport(ctx, o)
	if errors.Is(err, storage.ErrReceiptsGone) {
		o.Since = nil
		err = e.noteExport(ctx, o)
	}
	return err
}

func (e *Engine) noteExport(ctx context.Context, o storage.ExportOptions) error {
	var notes []storage.Record
	err := e.source.Export(ctx, o, func(record storage.Record) error {
		switch record.(type) {
		case storage.UserRecord, storage.IssuerRecord, storage.OrganizationRecord:
			return nil // the same on both sides: users were followed, and the others cannot be changed since the move began
		}
		if notes = append(notes, record); len(notes) < pageNotes {
			return nil
		}
		err := e.arrival.Note(ctx, notes)
		notes = notes[:0]
		return err
	})
	if err != nil {
		return err
	}
	return e.arrival.Note(ctx, notes)
}

// finish opens the target to everybody, this process first. The source has on record that it may. Meanwhile nothing is served from here:
// other servers may have begun.
func (e *Engine) finish(ctx context.Context) error {
	if e.moved {
		return nil
	}
	return e.limits.do(ctx, finishLimit, e.finishWithin)
}

func (e *Engine) finishWithin(ctx context.Context) error {
	if e.arrival != nil {
		if err := e.arrival.Finish(ctx); err != nil {
			return err
		}
		err := e.arrival.Close()
		e.arrival = nil
		if err != nil {
			return err
		}
	}
	target, err := e.o.To.Open(ctx, e.oo)
	if err != nil {
		return err
	}
	if err := sameStore(ctx, e.source, target); err != nil {
		return errors.Join(err, target.Close())
	}
	e.calls.Lock()
	defer e.calls.Unlock()
	e.serving, e.moved = target, true
	return nil
}
