// Package move brings a store from one place to another, while it is served or without. It works through the contract alone.
//
//	          ┌─ engine.go: calls; uploads are refused, deletes are made on both sides ─┐
//	source ───┼─► pass.go: copies, then compares every user, until nothing differs      ┼─► target (storage.Receiver)
//	          └─ cutover.go: the rest of receipts and trail, while no change is let in ──┘
//	erase.go: then every picture of the source is erased
//	offline.go: into a place that can only be filled as a whole, with nobody served
//
// # What a crash leaves
//
// The source has on record how far the move has come (storage.Departure), so nothing but the move opens it from the beginning on.
// Until it says that the store is gone, the source is what counts, and each pass makes the target the same: what was copied already
// costs one look. From then on the target is what counts, and nothing is copied any more. Each step may be done again.
//
// # Why nothing deleted comes back
//
// A delete is made on the source, then on the target, and answered when both have it. A copy of a user asks the source for their record
// right before it puts it into the target. The two never run at once for one user. What a delete that failed in between has
// left on the target is on a list of users, who are looked at again before the store is taken for the same; the list of a process
// that is killed is not needed, because the next one begins with a pass over everybody.
package move

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"example.org/avatard/storage"
)

// Options say what is moved to where.
type Options struct {
	From storage.Movable
	To   storage.Place
	// Organizations are registered before the move begins, by Registrar: during it, none can be. Those that have ended stay so.
	Organizations []string
	Registrar     storage.Origin
	// Logger takes messages for operators; nil discards them.
	Logger *slog.Logger
	// Progress, unless it is nil, is called now and then with what is being done and how much of it is done.
	Progress func(step string, done, total int64)

	limits *limits // nil = the usual ones
}

// Summary says what was moved. It is empty where everything had been moved before.
type Summary struct {
	// Users and Pictures were compared on both sides, and are the same.
	Users, Pictures int64
	// Copied counts the users who were copied by this process.
	Copied int64
	// Erased counts the pictures of the source that were erased by this process.
	Erased int64
}

// errMoving is what calls answer that a store does not take while it is moved.
var errMoving = fmt.Errorf("%w: the store is being moved to another place", storage.ErrUnavailable)

func (o Options) progress(step string, done, total int64) {
	if o.Progress != nil {
		o.Progress(step, done, total)
	}
}

// sameTarget returns ErrMoved when a move to another place is on record.
func (o Options) sameTarget(d storage.Departure) error {
	if name := o.To.String(); d.To != "" && d.To != name {
		return fmt.Errorf("%w to %s, and not to %s", storage.ErrMoved, d.To, name)
	}
	return nil
}

// Run moves a store that nobody serves. When it fails, it can be run again, and goes on. It returns nil when the source is erased.
func Run(ctx context.Context, o Options) (sum Summary, err error) {
	d, err := o.From.Departure(ctx)
	if err == nil {
		err = o.sameTarget(d)
	}
	if err != nil || d.Erased {
		return sum, err
	}
	if _, ok := o.To.(storage.Receiver); !ok {
		return offline(ctx, o, d)
	}
	e, err := open(ctx, o, storage.OpenOptions{})
	if err != nil {
		return sum, err
	}
	err = e.move(ctx)
	return e.sum, errors.Join(err, e.Close())
}

// Place is where the store is while it moves: what is opened there serves from the source, moves in the background, and then serves from the
// target. moved is called when the source is erased.
func Place(o Options, moved func(Summary)) storage.Place { return &place{o.To, o, moved} }

type place struct {
	storage.Place
	o     Options
	moved func(Summary)
}

// ControlDir is the source's: commands that name the data there reach the process that serves it.
func (p *place) ControlDir() string { return p.o.From.ControlDir() }

// Open implements [storage.Place]. It fails where the target cannot be used, before anything is changed.
func (p *place) Open(ctx context.Context, oo storage.OpenOptions) (storage.Engine, error) {
	o := p.o
	o.Logger, o.Progress = oo.Logger, logEvery(oo.Logger)
	e, err := open(ctx, o, oo)
	if err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.running.Go(func() {
		for {
			err := e.move(background)
			if err == nil {
				e.log.Info("the store has been moved", "to", p.o.To.String(), "users", e.sum.Users, "pictures", e.sum.Pictures, "erased", e.sum.Erased)
				p.moved(e.sum)
				return
			}
			if background.Err() != nil {
				return
			}
			e.log.Error("the move cannot go on now; it is tried again", "error", err)
			select {
			case <-background.Done():
				return
			case <-e.limits.again():
			}
		}
	})
	return e, nil
}

// logInterval is how often a move says in the log how far it has come.
const logInterval = 10 * time.Second

// logEvery returns a function that logs progress now and then.
func logEvery(log *slog.Logger) func(step string, done, total int64) {
	if log == nil {
		return nil
	}
	var mu sync.Mutex
	last := time.Now()
	return func(step string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(last) >= logInterval {
			last = time.Now()
			log.Info("the store is being moved", "step", step, "done", done, "total", total)
		}
	}
}

// open opens both sides. Nothing is on record of the move until the target can be used.
func open(ctx context.Context, o Options, oo storage.OpenOptions) (e *Engine, err error) {
	to, ok := o.To.(storage.Receiver)
	if !ok {
		return nil, fmt.Errorf("%s can only be filled as a whole, with no server running", o.To)
	}
	d, err := o.From.Departure(ctx)
	if err != nil {
		return nil, err
	}
	e = &Engine{o: o, oo: oo, log: o.Logger, departure: d, dirty: map[storage.UserKey]bool{}, seed: maphash.MakeSeed()}
	if e.limits = usualLimits(); o.limits != nil {
		e.limits = *o.limits
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	for i := range e.lines {
		e.lines[i] = make(line, 1)
	}
	of := oo
	of.Moving = true
	if e.source, err = o.From.Open(ctx, of); err != nil {
		return nil, err
	}
	if err := e.begin(ctx, to); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// begin finds out how far the move has come, and puts on record that it has begun.
func (e *Engine) begin(ctx context.Context, to storage.Receiver) (err error) {
	if err := e.o.sameTarget(e.departure); err != nil {
		return err
	}
	if !e.departure.Erased {
		id, err := storeID(ctx, e.source)
		if err != nil {
			return err
		}
		if e.departure.Gone && to.Vacant(ctx) == nil { // to arrive there would begin anew, with nothing
			return errOtherTarget
		}
		arrival, err := to.Arrive(ctx, id)
		switch {
		case err == nil:
			e.arrival = limited{arrival, e.limits}
		case !e.departure.Gone || !errors.Is(err, storage.ErrStoreExists): // else it was finished
			return err
		}
	}
	if e.departure.Gone {
		return e.goOn(ctx)
	}
	if e.departure.To == "" {
		for _, org := range e.o.Organizations {
			if _, err := e.source.AddOrganization(ctx, org, e.o.Registrar); err != nil && !errors.Is(err, storage.ErrOrganizationEnded) {
				return err
			}
		}
	}
	e.departure.To = e.o.To.String()
	if err := e.o.From.Depart(ctx, e.departure); err != nil { // also where it is on record: nobody else may have the source open
		return err
	}
	e.serving = e.source
	return nil
}

// goOn opens a target that counts. The process that put this on record may have been killed before it was durable.
func (e *Engine) goOn(ctx context.Context) error {
	if err := e.o.From.Depart(ctx, e.departure); err != nil {
		return err
	}
	return e.finish(ctx)
}

// errEnough ends an export of which no more is needed.
var errEnough = errors.New("enough")

// storeID returns the id of a store.
func storeID(ctx context.Context, s storage.Keeper) (id [16]byte, err error) {
	err = s.Export(ctx, storage.ExportOptions{ReceiptsOnly: true}, func(record storage.Record) error {
		if r, ok := record.(storage.StoreRecord); ok {
			id = r.ID
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return id, err
}

// move does what is left to do.
func (e *Engine) move(ctx context.Context) error {
	for n := 0; !e.departure.Gone; n++ {
		if e.serving == nil { // nothing was let in since it was tried
			if err := e.depart(ctx); err != nil {
				return err
			}
			break
		}
		if err := e.copy(ctx); err != nil {
			return err
		}
		if err := e.cutOver(ctx); err != nil && (n == maxPasses || !errors.Is(err, errDirty)) {
			return err
		}
	}
	if err := e.finish(ctx); err != nil {
		return err
	}
	return e.eraseSource(ctx)
}
