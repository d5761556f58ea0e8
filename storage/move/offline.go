package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"example.org/avatard/storage"
)

// offline moves a store into a place that can only be filled as a whole. A move that was killed while it filled the place begins anew; one
// that was killed later compares again, or goes on to erase.
func offline(ctx context.Context, o Options, d storage.Departure) (sum Summary, err error) {
	source, err := o.From.Open(ctx, storage.OpenOptions{Moving: true, Logger: o.Logger})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if d.Gone {
		if err = isThere(ctx, o, source); err == nil {
			err = o.From.Depart(ctx, d) // the process that did may have been killed before it was durable
		}
	} else {
		d, err = fill(ctx, o, source, d, &sum)
	}
	if err != nil {
		return sum, err
	}
	sum.Erased, err = erase(ctx, o, source, &d)
	return sum, err
}

// errOtherTarget: somebody has changed what is at the target.
var errOtherTarget = errors.New("the target does not have the store that was moved there; nothing more is erased")

// isThere sees that the target still has the store, before the rest of the source is erased.
func isThere(ctx context.Context, o Options, source storage.Engine) (err error) {
	target, err := o.To.Open(ctx, storage.OpenOptions{Logger: o.Logger})
	if err != nil {
		return fmt.Errorf("%w: %w", errOtherTarget, err)
	}
	return errors.Join(sameStore(ctx, source, target), target.Close())
}

// sameStore returns errOtherTarget when two stores have different ids.
func sameStore(ctx context.Context, source, target storage.Engine) error {
	want, err := storeID(ctx, source)
	if err != nil {
		return err
	}
	is, err := storeID(ctx, target)
	if err == nil && is != want {
		err = errOtherTarget
	}
	return err
}

// fill fills the target, unless that was done, and compares.
func fill(ctx context.Context, o Options, source storage.Engine, d storage.Departure, sum *Summary) (storage.Departure, error) {
	vacant := o.To.Vacant(ctx)
	switch {
	case d.To == "" && vacant != nil:
		return d, vacant
	case vacant != nil && !errors.Is(vacant, storage.ErrStoreExists):
		return d, vacant
	}
	d.To = o.To.String()
	if err := o.From.Depart(ctx, d); err != nil {
		return d, err
	}
	if vacant == nil {
		live, err := newLive(ctx, source)
		if err != nil {
			return d, err
		}
		filled, err := o.To.Import(ctx, storage.ImportOptions{Export: live, Progress: func(done, total int64) { o.progress("copied", done, total) }})
		live.stop()
		if err != nil {
			return d, err
		}
		sum.Copied = filled.Users
	}
	return d, compare(ctx, o, source, sum, func() error {
		d.Gone = true
		return o.From.Depart(ctx, d)
	})
}

// live is an export as a source of an import.
type live struct {
	ctx    context.Context
	source storage.Engine
	store  storage.StoreRecord
	stops  []func()
}

func newLive(ctx context.Context, source storage.Engine) (*live, error) {
	l := &live{ctx: ctx, source: source}
	first, err := l.read()
	if err == nil {
		l.store = first.store
	}
	return l, err
}

// Name implements [storage.Source].
func (l *live) Name() string { return "the source" }

// Store implements [storage.Source].
func (l *live) Store() storage.StoreRecord { return l.store }

// Records implements [storage.Source].
func (l *live) Records() (storage.RecordReader, error) { return l.read() }

// stop ends every export that was not read to its end.
func (l *live) stop() {
	for _, stop := range l.stops {
		stop()
	}
}

// liveReader reads an export while it is made.
type liveReader struct {
	next  func() (storage.Record, error, bool)
	store storage.StoreRecord
	end   storage.EndRecord
	user  int64
}

func (l *live) read() (*liveReader, error) {
	next, stop := iter.Pull2(func(yield func(storage.Record, error) bool) {
		err := l.source.Export(l.ctx, storage.ExportOptions{}, func(record storage.Record) error {
			if !yield(record, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	})
	l.stops = append(l.stops, stop)
	r := &liveReader{next: next}
	first, err, _ := next()
	if err != nil {
		return nil, err
	}
	var ok bool
	if r.store, ok = first.(storage.StoreRecord); !ok {
		return nil, fmt.Errorf("%w: it does not begin with its store", storage.ErrExportDamaged)
	}
	return r, nil
}

// Next implements [storage.RecordReader].
func (r *liveReader) Next() (storage.Record, error) {
	record, err, ok := r.next()
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%w: it has no end", storage.ErrExportDamaged)
	}
	switch rec := record.(type) {
	case storage.UserRecord:
		r.user = rec.Number
	case storage.EndRecord:
		r.end = rec
		return nil, io.EOF
	}
	return record, nil
}

// Read implements [storage.RecordReader]: in place of bytes, numbers of users.
func (r *liveReader) Read() (done, total int64) { return r.user, r.store.LastUser }

// Summary implements [storage.RecordReader].
func (r *liveReader) Summary() storage.ExportSummary { return r.end.Summary(r.store) }

// compare sees that everybody is in the target as they are in the source, and calls same, while nobody else can open the target: from the
// beginning of the comparison on it is not served before the record says that it may.
func compare(ctx context.Context, o Options, source storage.Engine, sum *Summary, same func() error) (err error) {
	target, err := o.To.Open(ctx, storage.OpenOptions{Logger: o.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	for q := (storage.UserQuery{}); ; {
		page, err := source.ListUsers(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if err := compareUser(ctx, source, target, u, sum); err != nil {
				return err
			}
		}
		o.progress("compared", sum.Users, 0)
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			return same()
		}
	}
}

func compareUser(ctx context.Context, source, target storage.Store, u storage.ListedUser, sum *Summary) error {
	org := u.Details.Organization
	is, err := target.Stat(ctx, u.User, org)
	if err != nil {
		return fmt.Errorf("the target does not have user %s as they were: %w", u.User.ID, err)
	}
	if is != u.Info {
		return fmt.Errorf("the target does not have user %s as they were: %+v, and not %+v", u.User.ID, is, u.Info)
	}
	sum.Users++
	if u.Generation == "" {
		return nil
	}
	want, err := source.Get(ctx, u.User, org)
	if err != nil {
		return fmt.Errorf("the picture of user %s cannot be read: %w", u.User.ID, err)
	}
	got, err := target.Get(ctx, u.User, org)
	if err == nil && !bytes.Equal(got.Data, want.Data) {
		err = errors.New("its bytes differ")
	}
	if err != nil {
		return fmt.Errorf("the picture of user %s in the target: %w", u.User.ID, err)
	}
	sum.Pictures++
	return nil
}
