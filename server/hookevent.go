package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"example.org/avatard/server/webhook"
	"example.org/avatard/storage"
	"example.org/avatard/storage/erasure"
)

// hookAnswer is the answer to an event that was taken.
type hookAnswer struct {
	// Outcome is one of those below.
	Outcome string `json:"outcome"`
	// ReceiptID is that of the user's newest receipt, "" when there is none.
	ReceiptID string `json:"receiptId,omitempty"`
	// UsersErased is how many users this message has erased with an organisation.
	UsersErased int64 `json:"usersErased,string,omitempty"`
}

// The outcomes of events.
const (
	hookErased      = "erased"       // the user, or the organisation with its users
	hookNothingToDo = "nothing_left" // the user or the organisation is not on record, or has ended
	hookDoneBefore  = "done_before"  // an earlier message about the event was answered so
	hookIgnored     = "ignored"      // nobody was removed
)

func (a hookAnswer) write(w http.ResponseWriter) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if a.ReceiptID != "" {
		w.Header().Set(receiptHeader, a.ReceiptID)
	}
	writeJSON(w, http.StatusOK, text)
	return nil
}

// take does what an event asks for, once. A sender who has no patience for that is not waited for: some never send an event again.
func (h *hookRoute) take(ctx context.Context, e webhook.Event, sig webhook.Signature) (hookAnswer, error) {
	if e.Kind == webhook.Other {
		return hookAnswer{Outcome: hookIgnored}, nil
	}
	c := callOf(ctx)
	c.organization, c.user, c.changes = e.Organization, e.User, e.User != ""
	if !slices.Contains(h.Organizations, e.Organization) {
		return hookAnswer{}, &apiError{reason: hookOrganization}
	}
	switch h.memory.begin(e.ID, sig.Time, h.config.Now()) {
	case hookBusy:
		return hookAnswer{}, &apiError{reason: hookUnderWay}
	case hookReplay:
		return hookAnswer{}, &apiError{reason: hookReplayed}
	case hookRepeated:
		return hookAnswer{Outcome: hookDoneBefore}, nil
	}
	done := false
	defer func() { h.memory.end(e.ID, sig.Time, h.config.Now(), done) }()
	end := h.endUser
	if e.Kind == webhook.OrganizationRemoved {
		end = h.endOrganization
	}
	working, stop := context.WithTimeout(context.WithoutCancel(ctx), maxErasing)
	defer stop()
	answer, err := end(working, e, happened(e, sig))
	done = err == nil
	return answer, err
}

// happened returns when an event happened at the latest. A time in whole seconds may be any moment of its second. It is no later than its
// message, whatever the body says.
func happened(e webhook.Event, sig webhook.Signature) time.Time {
	at := e.Time
	if at.Nanosecond() == 0 {
		at = at.Add(time.Second - 1)
	}
	if latest := sig.Time.Add(time.Second); at.After(latest) {
		return latest
	}
	return at
}

// endUser erases a user, unless they were registered after the event: then an administrator has readmitted them, whom an event of before
// does not concern. The registration's time is in the store, so that holds behind a restart, and at every server of a cluster.
func (h *hookRoute) endUser(ctx context.Context, e webhook.Event, at time.Time) (hookAnswer, error) {
	info, err := h.config.Store.Stat(ctx, h.userKey(e.User), e.Organization)
	switch {
	case errors.Is(err, storage.ErrUserNotFound):
		return hookAnswer{Outcome: hookNothingToDo}, nil
	case errors.Is(err, storage.ErrOtherOrganization):
		return hookAnswer{}, &apiError{reason: hookOtherOrganization}
	case err != nil:
		return hookAnswer{}, err
	case info.Details.CreationDate.After(at):
		return hookAnswer{}, &apiError{reason: hookOutdated}
	}
	rm := storage.Removal{User: h.userKey(e.User), Organization: e.Organization}
	res, err := h.remove(ctx, rm, h.config.Store.EraseUser)
	switch {
	case errors.Is(err, storage.ErrUserNotFound): // meanwhile
		return hookAnswer{Outcome: hookNothingToDo}, nil
	case errors.Is(err, storage.ErrOtherOrganization):
		return hookAnswer{}, &apiError{reason: hookOtherOrganization}
	case err != nil:
		return hookAnswer{}, err
	}
	return hookAnswer{Outcome: hookErased, ReceiptID: res.Receipt}, nil
}

// endOrganization ends an organisation and erases its users, until ctx ends. What is left then is for the next message about the event.
func (h *hookRoute) endOrganization(ctx context.Context, e webhook.Event, at time.Time) (hookAnswer, error) {
	if slices.Contains(h.config.StartOrganizations, e.Organization) {
		return hookAnswer{}, &apiError{reason: configuredOrganization}
	}
	state, err := h.config.Store.OrganizationState(ctx, e.Organization)
	if err == nil && state == storage.Registered {
		var since time.Time
		if since, err = h.registeredSince(ctx, e.Organization); err == nil && since.After(at) {
			err = &apiError{reason: hookOutdated}
		}
	}
	switch {
	case err != nil:
		return hookAnswer{}, err
	case !state.On():
		return hookAnswer{Outcome: hookNothingToDo}, nil
	}
	deadline := time.Now().Add(MaxCallDuration)
	sum, err := erasure.Organization(ctx, erasingStore{h.Server, h.config.Store, deadline}, e.Organization, callOf(ctx).origin(), nil)
	switch {
	case errors.Is(err, storage.ErrOrganizationNotFound): // meanwhile
		return hookAnswer{Outcome: hookNothingToDo}, nil
	case err != nil && ctx.Err() != nil:
		return hookAnswer{}, &apiError{reason: hookUnfinished}
	case err != nil:
		return hookAnswer{}, err
	}
	return hookAnswer{Outcome: hookErased, UsersErased: sum.Users}, nil
}

// registeredSince returns since when an organisation is on record, the zero time when it is not. The list goes on from the id without its
// last character, between which and the id itself few others can be.
func (h *hookRoute) registeredSince(ctx context.Context, org string) (time.Time, error) {
	runes := []rune(org)
	after := string(runes[:len(runes)-1])
	for {
		page, err := h.config.Store.ListOrganizations(ctx, after)
		if err != nil {
			return time.Time{}, err
		}
		for _, listed := range page {
			if listed.ID == org {
				return listed.CreationDate, nil
			}
		}
		if len(page) < storage.MaxPage || page[len(page)-1].ID > org {
			return time.Time{}, nil
		}
		after = page[len(page)-1].ID
	}
}
