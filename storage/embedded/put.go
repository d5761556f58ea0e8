package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// Put implements [storage.Store].
func (s *Store) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	size := len(up.Picture.Data)
	switch {
	case !up.User.Valid() || !ids.Valid(up.Organization) || !up.By.Valid():
		return storage.Result{}, fmt.Errorf("put picture: %w: id", storage.ErrInvalid)
	case size == 0 || size > storage.MaxPictureBytes:
		return storage.Result{}, fmt.Errorf("put picture: %w: %d bytes, limit %d", storage.ErrInvalid, size, storage.MaxPictureBytes)
	case up.Picture.Format.MediaType() == "":
		return storage.Result{}, fmt.Errorf("put picture: %w: format %d", storage.ErrInvalid, up.Picture.Format)
	}
	if err := ctx.Err(); err != nil {
		return storage.Result{}, err
	}
	w := &put{s: s, key: up.User, organization: up.Organization, by: up.By, register: up.Register, condition: up.If,
		class: slab.ClassFor(size), size: int64(size), format: int64(up.Picture.Format)}
	if _, err := io.ReadFull(s.rand, w.id[:]); err != nil {
		return storage.Result{}, fmt.Errorf("put picture: %w", err)
	}
	t := &request{op: w, key: &up.User, image: slab.Image(w.id, up.Picture.Data), caller: up.By.Caller}
	err := s.queue.submit(ctx, t)
	if err != nil {
		err = fmt.Errorf("put picture: %w", err)
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return storage.Result{}, err // the request may still be under way
		}
	}
	return t.result, err
}

// put is an upload: its generation is UPLOADING with a slot of its own, then ACTIVE, while that of the picture before goes to ERASING.
type put struct {
	s            *Store
	key          storage.UserKey
	organization string
	by           storage.Origin
	register     bool
	condition    storage.Condition
	id           slab.GenerationID
	class        slab.Class
	size, format int64

	stage   stage
	uid     int64
	slot    int64
	failure error // why the upload is abandoned
}

// stage is which group commit of an upload comes next.
type stage int

const (
	stageReserve stage = iota
	stageActivate
	stageAbandon
)

func (w *put) slotClass() (slab.Class, bool) { return w.class, w.stage == stageReserve }

func (w *put) apply(r *groupCommit, t *request) error {
	switch w.stage {
	case stageReserve:
		return w.reserve(r, t)
	case stageActivate:
		return w.activate(r, t)
	default:
		return w.abandon(r, t)
	}
}

// reserve gives the upload a slot, which is then filled.
func (w *put) reserve(r *groupCommit, t *request) error {
	u, before, err := w.before(r)
	unknown := errors.Is(err, storage.ErrUserNotFound) && w.register
	if err != nil && !unknown {
		if u.state == storage.Ended && u.organization == w.organization {
			return fmt.Errorf("%w: %q", storage.ErrUserEnded, w.key.ID)
		}
		return err
	}
	if !w.condition.Empty() && !w.condition.Holds(activeGeneration(before)) {
		return storage.ErrConditionFailed
	}
	if unknown {
		if err := r.mayRegister(&u, w.key, w.organization, false); err != nil { // no upload readmits
			return err
		}
	}
	if err := r.s.takesNew(); err != nil {
		return err
	}
	slot, whole, ok := r.s.slots.Take(w.class)
	if !ok {
		return fmt.Errorf("%w: no room for a picture of %d bytes", storage.ErrUnavailable, w.size)
	}
	t.taken = append(t.taken, slotTaken{slot, whole})
	if unknown {
		if u, err = r.register(u, w.key, w.organization, w.by); err != nil {
			return err
		}
	}
	w.uid, w.slot = u.uid, slot
	t.write = &slotWrite{slot: slot, image: t.image}
	if !whole {
		t.write.rest = slab.ClassPages[w.class] - int64(len(t.image))/slab.PageBytes
	}
	return r.db.run(sqlReserve, slot, w.id[:], u.uid, w.size, w.format)
}

// before looks up the user, and the user's picture when the upload depends on it. The user's next change waits until this one is
// finished, so activate finds the same.
func (w *put) before(r *groupCommit) (u userRecord, gens []generationRecord, err error) {
	if w.condition.Empty() {
		u, err = r.user(w.key, w.organization)
		return u, nil, err
	}
	return r.userAndGenerations(w.key, w.organization, 0)
}

// activate makes the picture the user's, and erases the one before.
func (w *put) activate(r *groupCommit, t *request) error {
	u, before, err := r.userAndGenerations(w.key, w.organization, w.slot)
	if err != nil {
		return err
	}
	if err := r.erase(t, &u, before, storage.ReasonReplaced); err != nil {
		return err
	}
	if err := r.db.run(sqlActivate, w.slot, w.id[:]); err != nil {
		return err
	}
	hooks.Failpoint("activate-row")
	if err := r.change(&u); err != nil {
		return err
	}
	if err := r.audit(storage.ActionUpload, u.organization, w.key.ID, w.by); err != nil {
		return err
	}
	t.result, err = r.result(&u)
	t.result.Generation = hex.EncodeToString(w.id[:])
	return err
}

// abandon gives up an upload whose bytes could not be made durable.
func (w *put) abandon(r *groupCommit, t *request) error {
	u, err := r.user(w.key, w.organization)
	if err != nil {
		return err
	}
	own := []generationRecord{{slot: w.slot, id: w.id, state: stateUploading, size: w.size}}
	if err := r.erase(t, &u, own, storage.ReasonAbandoned); err != nil {
		return err
	}
	return r.db.run(sqlUserReceipt, u.uid, u.receipt)
}

func (w *put) finished(t *request, committed bool, err error) (again bool) {
	switch w.stage {
	case stageReserve:
		w.s.queue.drop(t) // the image is written, or never will be
		if !committed {   // nothing was reserved
			t.answer = unavailable(err)
			return false
		}
		w.stage = stageActivate
		if err != nil {
			w.stage, w.failure = stageAbandon, err
		}
		return true
	case stageActivate:
		if !committed {
			w.stage, w.failure = stageAbandon, err
			return true
		}
		t.answer = unavailable(err)
		return false
	default:
		if !committed {
			w.s.orphans = append(w.s.orphans, orphanedUpload{uid: w.uid, slot: w.slot, id: w.id, tries: attempts{}.after(time.Now())})
		}
		t.result, t.answer = storage.Result{}, unavailable(w.failure)
		return false
	}
}
