package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.org/avatard/storage"
)

func (s *store) Receipt(ctx context.Context, id string) (storage.Receipt, error) {
	if err := s.enter(ctx, nil); err != nil {
		return storage.Receipt{}, err
	}
	defer s.mu.Unlock()
	for _, r := range s.receipts {
		if r.ID == id || s.has("reads the beginning of a receipt's id") && id != "" && strings.HasPrefix(id, r.ID) {
			return s.shown(r), nil
		}
	}
	for u, e := range s.users {
		if e.picture != nil && e.picture.Generation == id && s.has("shows pictures as receipts") {
			return storage.Receipt{ID: id, User: u}, nil
		}
	}
	return storage.Receipt{}, fmt.Errorf("%d bytes: %w", len(id), storage.ErrReceiptNotFound)
}

// shown is a receipt as callers get it.
func (s *store) shown(r storage.Receipt) storage.Receipt {
	if e := s.users[r.User]; e != nil && s.has("looks for receipts where users are now") {
		r.Organization = e.res.Details.Organization
	}
	if s.has("dates receipts when they are read") {
		r.Time = s.date()
	}
	return r
}

// ListReceipts goes on from the number of a receipt.
func (s *store) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (page storage.ReceiptPage, err error) {
	if err := s.enter(ctx, nil); err != nil {
		return page, err
	}
	defer s.mu.Unlock()
	from := len(s.receipts)
	if q.After != "" {
		from, err = strconv.Atoi(q.After)
	}
	if s.has("takes any position") && err != nil {
		from, err = 0, nil
	}
	half := s.has("takes half a user") && q.Organization == ""
	if err != nil || from < 0 || from > len(s.receipts) || !q.Valid() && !half {
		return page, fmt.Errorf("list: %w", storage.ErrInvalid)
	}
	for i := from - 1; i >= 0; i-- {
		if r := s.shown(s.receipts[i]); s.query(q).Admits(r) {
			page.Receipts = append(page.Receipts, r)
		}
		if i > 0 && from-i == storage.MaxPage {
			page.Next = s.next(i, len(page.Receipts))
			break
		}
	}
	if s.has("lists receipts from the oldest") {
		slices.Reverse(page.Receipts)
	}
	return page, nil
}

// next is the position behind a page whose last receipt has a number.
func (s *store) next(number, listed int) string {
	switch {
	case s.has("lists one page of receipts"), s.has("ends at a short page") && listed < storage.MaxPage:
		return ""
	case s.has("counts pages from the newest receipt"):
		return strconv.Itoa(number - 1)
	}
	return strconv.Itoa(number)
}

// query is what a query asks for, but for a flaw.
func (s *store) query(q storage.ReceiptQuery) storage.ReceiptQuery {
	switch s.memory.flaw {
	case "lists receipts of everybody":
		q.User = storage.UserKey{}
	case "lists receipts of all organisations":
		q.Organization = ""
	case "lists receipts of all times":
		q.Since, q.Until = time.Time{}, time.Time{}
	case "bounds receipts wrongly":
		if !q.Since.IsZero() {
			q.Since = q.Since.Add(time.Nanosecond)
		}
	}
	return q
}
