package move

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"example.org/avatard/storage"
)

const (
	pageUsers = 64      // how many users are copied at once, and held up meanwhile
	pageBytes = 8 << 20 // of their pictures
	pageNotes = 512     // other records
	maxPasses = 8       // until nothing differs any more
)

// copy goes over everybody until a pass that compares both sides finds nothing to do.
func (e *Engine) copy(ctx context.Context) error {
	for n := range maxPasses {
		p := &pass{e: e, compare: n > 0, issuers: map[int64]string{}, there: map[int64]bool{}}
		if err := p.run(ctx); err != nil {
			return err
		}
		e.since, e.trail = p.end.Position(p.store), p.trail
		if !p.compare {
			e.sum.Copied += p.changed
		} else if e.sum.Users, e.sum.Pictures = p.users, p.pictures; p.changed == 0 {
			return nil
		}
	}
	return fmt.Errorf("the two sides still differ after %d passes", maxPasses)
}

// pass is one over the records of the source.
type pass struct {
	e       *Engine
	compare bool

	store   storage.StoreRecord
	end     storage.EndRecord
	trail   storage.TrailPosition
	issuers map[int64]string
	page    []storage.ArrivingUser
	there   map[int64]bool // in the page
	bytes   int
	notes   []storage.Record

	changed, users, pictures int64
}

func (p *pass) run(ctx context.Context) error {
	return p.e.source.Export(ctx, storage.ExportOptions{}, func(record storage.Record) error { return p.take(ctx, record) })
}

func (p *pass) take(ctx context.Context, record storage.Record) error {
	switch r := record.(type) {
	case storage.IssuerRecord:
		p.issuers[r.Number] = r.URL
	case storage.UserRecord:
		if len(p.page) >= pageUsers || p.bytes >= pageBytes || p.there[r.Number] {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		p.there[r.Number] = true
		p.page = append(p.page, storage.ArrivingUser{User: storage.UserKey{Issuer: p.issuers[r.Issuer], ID: r.ID}, Record: r})
	case storage.PictureRecord:
		r.Data = bytes.Clone(r.Data)
		p.bytes += len(r.Data)
		p.page[len(p.page)-1].Picture = &r
	case storage.VoidRecord:
	default:
		return p.note(ctx, record)
	}
	return nil
}

// note keeps other records until there are some. Receipts come behind their users, organisations before them.
func (p *pass) note(ctx context.Context, record storage.Record) error {
	switch r := record.(type) {
	case storage.StoreRecord:
		p.store = r
	case storage.EndRecord:
		p.end = r
	case storage.AuditRecord:
		p.trail.Saw(r)
	}
	p.notes = append(p.notes, record)
	_, end := record.(storage.EndRecord)
	_, receipt := record.(storage.ReceiptRecord)
	if receipt && len(p.page) > 0 || end || len(p.notes) >= pageNotes {
		return p.flush(ctx)
	}
	return nil
}

// flush brings what was kept.
func (p *pass) flush(ctx context.Context) error {
	first, behind := p.notes, []storage.Record(nil)
	if n := len(p.notes); n > 0 && len(p.page) > 0 { // a receipt may be the first behind its user
		if _, ok := p.notes[n-1].(storage.ReceiptRecord); ok {
			first, behind = p.notes[:n-1], p.notes[n-1:]
		}
	}
	if err := p.e.arrival.Note(ctx, first); err != nil {
		return err
	}
	if err := p.flushUsers(ctx); err != nil {
		return err
	}
	if len(behind) > 0 {
		if err := p.e.arrival.Note(ctx, behind); err != nil {
			return err
		}
	}
	p.notes = p.notes[:0]
	return nil
}

func (p *pass) flushUsers(ctx context.Context) error {
	if len(p.page) == 0 {
		return nil
	}
	var lines []int
	for _, u := range p.page {
		lines = append(lines, p.e.line(u.User))
	}
	slices.Sort(lines)
	for _, n := range slices.Compact(lines) { // in this order, so that two never wait for each other
		if err := p.e.lines[n].enter(ctx); err != nil {
			return err
		}
		defer p.e.lines[n].leave()
	}
	for i := range p.page {
		if err := p.e.settle(ctx, &p.page[i]); err != nil {
			return err
		}
	}
	changed, err := p.e.arrival.Take(ctx, p.page, p.compare)
	if err != nil {
		return err
	}
	p.changed += int64(changed)
	for _, u := range p.page {
		if p.e.note(u.User, false); u.Picture != nil {
			p.pictures++
			clear(u.Picture.Data)
		}
		if u.Record.State.On() {
			p.users++
		}
	}
	step := "copied"
	if p.compare {
		step = "compared"
	}
	p.e.o.progress(step, p.page[len(p.page)-1].Record.Number, p.store.LastUser)
	p.page, p.bytes = p.page[:0], 0
	clear(p.there)
	return nil
}

// settle makes of a record, which may be some time old, what the source says of the user now. Nobody changes it until the line is left.
func (e *Engine) settle(ctx context.Context, u *storage.ArrivingUser) error {
	info, err := e.source.Stat(ctx, u.User, u.Record.Organization)
	if errors.Is(err, storage.ErrUserNotFound) {
		if u.Picture = nil; u.Record.State.On() { // has ended since the record was read: a move lets in nothing else that takes users off it
			u.Record.State = storage.Ended
		}
		return nil
	}
	if err != nil {
		return err
	}
	u.Record.State = storage.Registered
	u.Record.Sequence, u.Record.Changed = int64(info.Details.Sequence), info.Details.ChangeDate.UnixMicro()
	switch {
	case info.Generation == "":
		u.Picture = nil
		return nil
	case u.Picture != nil && hex.EncodeToString(u.Picture.Generation[:]) == info.Generation:
		return nil
	}
	got, err := e.source.Get(ctx, u.User, u.Record.Organization)
	if err != nil {
		return fmt.Errorf("the picture %s of user %s cannot be read, and would be lost; see avatard fsck: %w", info.Generation, u.User.ID, err)
	}
	u.Picture = &storage.PictureRecord{Format: got.Format, Data: got.Data}
	_, err = hex.Decode(u.Picture.Generation[:], []byte(got.Generation))
	return err
}
