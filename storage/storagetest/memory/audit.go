package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"example.org/avatard/storage"
)

// note records a change in the trail.
func (s *store) note(action, org, target string, by storage.Origin) {
	if s.has("records no ends") && (action == storage.ActionEraseUser || action == storage.ActionEndOrganization) {
		return
	}
	if s.has("records changes without a request") {
		by.RequestID = ""
	}
	s.record(storage.AuditRecord{Time: s.date().UnixMicro(), Action: action, Result: storage.AuditDone, Caller: by.Caller,
		CallerOrganization: by.CallerOrganization, Organization: org, Target: target, Request: by.RequestID})
}

// record gives a record its number.
func (st *state) record(r storage.AuditRecord) {
	list := &st.trail
	if r.Refusal {
		list = &st.refusals
	}
	r.Number = int64(len(*list) + 1)
	*list = append(*list, r)
}

func (s *store) RecordRefusal(r storage.Refusal) {
	if !s.has("records refusals as they come") {
		r = r.Fit()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.has("records no refusals") {
		s.record(storage.AuditRecord{Time: s.date().UnixMicro(), Action: r.Action, Result: r.Reason, Caller: r.By.Caller,
			CallerOrganization: r.By.CallerOrganization, Organization: r.Organization, Target: r.Target, Request: r.By.RequestID,
			Dropped: r.Dropped, Refusal: true})
	}
	if s.has("counts refusals as changes") {
		for _, e := range s.users {
			s.change(e)
		}
	}
}

// Refusals lists the refusals on record in the store of a name.
func (m *Memory) Refusals(name string) (list []storage.Refusal, err error) {
	for _, r := range m.state(name).refusals {
		list = append(list, storage.Refusal{By: storage.Origin{Caller: r.Caller, CallerOrganization: r.CallerOrganization, RequestID: r.Request},
			Organization: r.Organization, Target: r.Target, Action: r.Action, Reason: r.Result, Dropped: r.Dropped})
	}
	return list, nil
}

// after returns the trail behind a position, in the order of times.
func (s *store) after(p storage.TrailPosition) []storage.AuditRecord {
	if s.has("writes the whole trail") {
		p = storage.TrailPosition{}
	}
	changes, refusals := behind(s.trail, p.Changes), behind(s.refusals, p.Refusals)
	if n := len(changes); n > 1 && s.has("shows changes out of order") {
		changes = slices.Concat(changes[:n-2], changes[n-1:])
	}
	all := slices.Concat(changes, refusals)
	if s.has("lists changes before refusals") {
		return all
	}
	slices.SortStableFunc(all, func(a, b storage.AuditRecord) int { return cmp.Compare(a.Time, b.Time) })
	return all
}

// behind returns the records with numbers above a number.
func behind(list []storage.AuditRecord, number int64) []storage.AuditRecord {
	return list[min(max(number, 0), int64(len(list))):]
}

func (s *store) ListAudit(ctx context.Context, q storage.AuditQuery) (page storage.AuditPage, err error) {
	if !q.Valid() && !s.has("takes any query of the trail") {
		return page, fmt.Errorf("list: %w", storage.ErrInvalid)
	}
	if err := s.enter(ctx, nil); err != nil {
		return page, err
	}
	defer s.mu.Unlock()
	page.Next = q.After
	for i, r := range s.after(q.After) {
		if i == storage.MaxPage {
			page.More = !s.has("lists one page of the trail")
			return page, nil
		}
		if page.Next.Saw(r); s.asked(q).Admits(r) {
			page.Records = append(page.Records, r)
		}
	}
	switch s.memory.flaw {
	case "ends behind the next change":
		page.Next.Changes++
	case "ends at the beginning":
		page.Next = q.After
	}
	return page, nil
}

// asked is what a query asks for, but for a flaw.
func (s *store) asked(q storage.AuditQuery) storage.AuditQuery {
	switch s.memory.flaw {
	case "lists records of everybody":
		q.Target = ""
	case "lists records of all organisations":
		q.Organization = ""
	case "lists records of every caller":
		q.Caller = ""
	case "lists records of every action":
		q.Action = ""
	case "lists records of both kinds":
		q.Kind = storage.AnyRecords
	case "lists records of all times":
		q.Since, q.Until = time.Time{}, time.Time{}
	}
	return q
}
