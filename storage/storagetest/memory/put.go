package memory

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"example.org/avatard/storage"
)

func (s *store) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	if err := s.enter(ctx, []string{up.User.Issuer}, up.User.ID, up.Organization); err != nil {
		return storage.Result{}, err
	}
	defer s.mu.Unlock()
	size := len(up.Picture.Data)
	small := size == 0 && !s.has("takes empty pictures")
	large := size > storage.MaxPictureBytes && !s.has("takes large pictures") || size == storage.MaxPictureBytes && s.has("refuses the largest picture")
	if small || large || up.Picture.Format.MediaType() == "" && !s.has("takes any format") {
		return storage.Result{}, fmt.Errorf("picture of %d bytes: %w", size, storage.ErrInvalid)
	}
	if ctx.Err() != nil && s.has("runs abandoned uploads late") {
		s.pending = func() { _, _ = s.put(up) }
		return storage.Result{}, ctx.Err()
	}
	if s.has("decides conditions before the change") && !up.If.Empty() && s.decide(up) == nil {
		up.If = storage.Condition{}
		switch s.decided++; s.decided {
		case 1: // the second one decides by the same picture
			s.mu.Unlock()
			<-s.second
			s.mu.Lock()
		case 2:
			close(s.second)
		}
	}
	return s.put(up)
}

// decide reports whether an upload's condition holds.
func (s *store) decide(up storage.Upload) error {
	generation := ""
	if e := s.users[s.key(up.User)]; e != nil && e.picture != nil {
		generation = e.picture.Generation
	}
	if !up.If.Holds(generation) && !s.has("decides no conditions of uploads") {
		return fmt.Errorf("put: %w", storage.ErrConditionFailed)
	}
	return nil
}

func (s *store) put(up storage.Upload) (storage.Result, error) {
	if err := s.decide(up); err != nil {
		if up.Register && s.has("registers before it decides") {
			_, _, _ = s.add(up.User, up.Organization, up.By)
		}
		return storage.Result{}, err
	}
	if err := s.prepare(up); err != nil {
		return storage.Result{}, err
	}
	e, err := s.find(up.User, up.Organization)
	if err != nil {
		return storage.Result{}, err
	}
	if s.broken && (e.picture != nil || e.doomed != nil) {
		return storage.Result{}, fmt.Errorf("put: %w", storage.ErrUnavailable)
	}
	if e.doomed != nil {
		_, _ = s.resume(up.User, e)
	}
	if s.has("finishes uploads of ended users") {
		s.letOthersUntil(func() bool { return s.users[s.key(up.User)] != e })
		s.users[s.key(up.User)] = e
	}
	p := storage.Picture{Format: up.Picture.Format, Data: bytes.Clone(up.Picture.Data), Generation: random()}
	switch s.memory.flaw {
	case "keeps the caller's slice":
		p.Data = up.Picture.Data
	case "forgets the format":
		p.Format = storage.PNG
	case "takes the caller's generation":
		p.Generation = up.Picture.Generation
	case "names pictures by content":
		p.Generation = hex.EncodeToString(fmt.Appendf(nil, "%16.16s", p.Data))
	case "leaves the end of the picture before":
		if e.picture != nil && len(e.picture.Data) > len(p.Data) {
			p.Data = append(p.Data, e.picture.Data[len(p.Data):]...)
		}
	case "drops zeros":
		p.Data = bytes.TrimRight(p.Data, "\x00")
	}
	if e.picture != nil && !s.has("gives no receipt for a replacement") {
		s.prove(up.User, e, e.picture, storage.ReasonReplaced, up.By)
	}
	e.picture = &p
	delete(s.removed, s.key(up.User))
	s.change(e)
	if s.has("replaces without counting") && e.res.Receipt != "" {
		e.res.Details.Sequence--
	}
	s.note(storage.ActionUpload, up.Organization, up.User.ID, up.By)
	res := e.res
	if !s.has("names no generation in the answer") {
		res.Generation = p.Generation
	}
	return res, nil
}

// prepare registers the user of an upload that asks for it, and refuses one for somebody who has ended.
func (s *store) prepare(up storage.Upload) error {
	if up.Register {
		up.By.Readmits = up.By.Readmits && s.has("readmits by upload")
		_, _, err := s.add(up.User, up.Organization, up.By)
		return err
	}
	if e := s.gone[s.key(up.User)]; e != nil && e.state == storage.Ended && (e.res.Details.Organization == up.Organization || s.has("tells every organisation of the end")) {
		return fmt.Errorf("%q: %w", up.User.ID, storage.ErrUserEnded)
	}
	return nil
}

func (s *store) change(e *entry) {
	e.res.Details.Sequence++
	if !s.has("never dates a change") {
		e.res.Details.ChangeDate = s.date()
	}
}
