// Package auditstream writes a line of JSON for every change of a store, and for every record of refused calls: what the audit trail gets,
// for those who collect it elsewhere. The trail in the store stays what counts: it is written in the transaction of the change, a line after
// it.
package auditstream

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"example.org/avatard/storage"
)

// record is one line. Members that say nothing are left out.
type record struct {
	Time time.Time `json:"time"`
	// Action is what was done, or, of a refusal, the call: a procedure, or method and route.
	Action string `json:"action"`
	// Refused is the code that the caller was given, and the id if there is one; "" for a change.
	Refused            string `json:"refused,omitempty"`
	Caller             string `json:"caller"`
	CallerOrganization string `json:"caller_organisation,omitempty"`
	Request            string `json:"request,omitempty"`
	Issuer             string `json:"issuer,omitempty"`
	NewIssuer          string `json:"new_issuer,omitempty"`
	User               string `json:"user,omitempty"`
	Organization       string `json:"organisation,omitempty"`
	// Sequence counts the changes of the user's record. A deletion that found nothing repeats the number of the one before.
	Sequence uint64 `json:"sequence,omitempty"`
	// Receipt is the user's newest one.
	Receipt string `json:"receipt,omitempty"`
	// Generation is that of an uploaded picture.
	Generation string `json:"generation,omitempty"`
	// More counts the other refusals that a line stands for.
	More int64 `json:"more,omitempty"`
}

// Wrap returns an engine that does what inner does, and writes to stream what has been done, each line with one call of Write. The stream must
// not wait. now is the clock of lines.
func Wrap(inner storage.Engine, stream io.Writer, now func() time.Time) storage.Engine {
	return &engine{Engine: inner, stream: stream, now: now}
}

type engine struct {
	storage.Engine
	stream io.Writer
	now    func() time.Time
}

func (e *engine) write(action string, by storage.Origin, r record) {
	r.Time, r.Action = e.now().UTC(), action
	r.Caller, r.CallerOrganization, r.Request = by.Caller, by.CallerOrganization, by.RequestID
	if line, err := json.Marshal(r); err == nil { // texts and numbers: it does not fail
		_, _ = e.stream.Write(append(line, '\n'))
	}
}

// changed is what a line says of a change to a user's record.
func changed(user storage.UserKey, res storage.Result) record {
	return record{Issuer: user.Issuer, User: user.ID, Organization: res.Details.Organization, Sequence: res.Details.Sequence,
		Receipt: res.Receipt, Generation: res.Generation}
}

// AddOrganization implements [storage.Store].
func (e *engine) AddOrganization(ctx context.Context, org string, by storage.Origin) (created bool, err error) {
	if created, err = e.Engine.AddOrganization(ctx, org, by); created {
		e.write("organization-add", by, record{Organization: org})
	}
	return created, err
}

// AddUser implements [storage.Store].
func (e *engine) AddUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (res storage.Result, created bool, err error) {
	if res, created, err = e.Engine.AddUser(ctx, user, org, by); created {
		e.write("user-add", by, changed(user, res))
	}
	return res, created, err
}

// MoveUser implements [storage.Store].
func (e *engine) MoveUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (res storage.Result, moved bool, err error) {
	if res, moved, err = e.Engine.MoveUser(ctx, user, org, by); moved {
		e.write("user-move", by, changed(user, res))
	}
	return res, moved, err
}

// MoveIssuer implements [storage.Store].
func (e *engine) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (moved bool, err error) {
	if moved, err = e.Engine.MoveIssuer(ctx, from, to, by); moved {
		e.write("issuer-move", by, record{Issuer: from, NewIssuer: to})
	}
	return moved, err
}

// Put implements [storage.Store]. A picture that is in place while the erasure of the one before is not finished has a line.
func (e *engine) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	res, err := e.Engine.Put(ctx, up)
	if err == nil || res.Generation != "" {
		e.write("upload", up.By, changed(up.User, res))
	}
	return res, err
}

// Remove implements [storage.Store]. A removal that has not been finished has no line: the call that finishes it has.
func (e *engine) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	res, err := e.Engine.Remove(ctx, rm)
	if err == nil {
		e.write("remove", rm.By, changed(rm.User, res))
	}
	return res, err
}

// EraseUser implements [storage.Store]. The call of a user who has ended before has a line like that of the one who did it.
func (e *engine) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	res, err := e.Engine.EraseUser(ctx, rm)
	if err == nil {
		e.write(storage.ActionEraseUser, rm.By, changed(rm.User, res))
	}
	return res, err
}

// EndOrganization implements [storage.Store].
func (e *engine) EndOrganization(ctx context.Context, org string, by storage.Origin) (ended bool, err error) {
	if ended, err = e.Engine.EndOrganization(ctx, org, by); ended {
		e.write(storage.ActionEndOrganization, by, record{Organization: org})
	}
	return ended, err
}

// RemoveOrganization implements [storage.Store].
func (e *engine) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (removed bool, err error) {
	if removed, err = e.Engine.RemoveOrganization(ctx, org, by); removed {
		e.write("organization-remove", by, record{Organization: org})
	}
	return removed, err
}

// RecordRefusal implements [storage.Store].
func (e *engine) RecordRefusal(r storage.Refusal) {
	e.Engine.RecordRefusal(r)
	r = r.Fit()
	e.write(r.Action, r.By, record{Refused: r.Reason, User: r.Target, Organization: r.Organization, More: r.Dropped})
}
