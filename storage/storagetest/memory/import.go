package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"example.org/avatard/storage"
)

// Import fills the store. It ignores moves of issuers between the sources, which no test needs.
func (p *place) Import(ctx context.Context, o storage.ImportOptions) (sum storage.ImportSummary, err error) {
	if err := o.Arrange(); err != nil {
		return sum, err
	}
	if err := p.Vacant(ctx); err != nil {
		return sum, err
	}
	in := &importing{state: newState(), sum: &sum}
	in.id = o.Export.Store().ID
	if sum.Backup, err = in.read(ctx, o.Export, true); err != nil {
		return sum, err
	}
	for _, newer := range o.Newer {
		one, err := in.read(ctx, newer, false)
		if err != nil {
			return sum, err
		}
		sum.Newer = append(sum.Newer, one)
	}
	if _, sum.Gaps = storage.KnownUntil(sum.Backup, sum.Newer); !o.AllowGap {
		if err := storage.CheckGaps(sum.Backup, sum.Newer); err != nil {
			return sum, err
		}
	}
	in.finish()
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	p.memory.states[p.name] = in.state
	return sum, nil
}

// importing is a store that is being filled.
type importing struct {
	*state
	sum *storage.ImportSummary
}

// read imports a source. It takes pictures from the first one only.
func (in *importing) read(ctx context.Context, source storage.Source, first bool) (storage.ExportSummary, error) {
	records, err := source.Records()
	if err != nil {
		return storage.ExportSummary{}, fmt.Errorf("%s: %w", source.Name(), err)
	}
	issuers, users, known := map[int64]string{}, map[int64]storage.UserKey{}, in.erased()
	var last *entry
	for {
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			return records.Summary(), ctx.Err()
		}
		if err != nil {
			return storage.ExportSummary{}, fmt.Errorf("%s: %w", source.Name(), err)
		}
		switch r := record.(type) {
		case storage.IssuerRecord:
			issuers[r.Number] = r.URL
		case storage.OrganizationRecord:
			if in.orgs[r.ID] = r.State; r.State == storage.Removed {
				delete(in.orgs, r.ID)
			}
		case storage.UserRecord:
			users[r.Number] = storage.UserKey{Issuer: issuers[r.Issuer], ID: r.ID}
			last = in.user(users[r.Number], r)
		case storage.PictureRecord:
			if first {
				last.picture = &storage.Picture{Generation: fmt.Sprintf("%x", r.Generation), Format: r.Format, Data: bytes.Clone(r.Data)}
			}
		case storage.ReceiptRecord:
			if !known[fmt.Sprintf("%x", r.Generation)] {
				in.receipts = append(in.receipts, storage.Receipt{ID: fmt.Sprintf("%x", r.Generation), User: users[r.User], Organization: r.Organization,
					Time: time.UnixMicro(r.Time).UTC(), Reason: r.Reason,
					By: storage.Origin{Caller: r.Caller, CallerOrganization: r.CallerOrganization, RequestID: r.Request}})
			}
		case storage.AuditRecord:
			in.record(r)
		}
	}
}

// user imports a user's record, unless there is one with a higher sequence.
func (in *importing) user(u storage.UserKey, r storage.UserRecord) *entry {
	e := in.users[u]
	if e == nil {
		e = in.gone[u]
	}
	if e == nil {
		e = new(entry)
	}
	if e.res.Details.Sequence > uint64(r.Sequence) {
		return e
	}
	e.res.Details = storage.Details{Sequence: uint64(r.Sequence), Organization: r.Organization,
		CreationDate: time.UnixMicro(r.Created).UTC(), ChangeDate: time.UnixMicro(r.Changed).UTC()}
	delete(in.users, u)
	delete(in.gone, u)
	if e.state = r.State; e.state.On() {
		in.users[u] = e
	} else {
		in.gone[u], e.picture = e, nil
	}
	return e
}

// finish removes the pictures that receipts name, and counts.
func (in *importing) finish() {
	erased := in.erased()
	for _, e := range in.users {
		switch {
		case e.picture == nil:
		case erased[e.picture.Generation]:
			e.picture = nil
			in.sum.Erased++
		default:
			in.sum.Pictures++
			in.sum.PictureBytes += int64(len(e.picture.Data))
		}
	}
	for i, r := range in.receipts {
		e := in.users[r.User]
		if e == nil {
			e = in.gone[r.User]
		}
		if e != nil {
			if e.res.Receipt = r.ID; r.Organization == "" {
				in.receipts[i].Organization = e.res.Details.Organization
			}
		}
		in.sum.NewestReceipt = r.Time
	}
	in.sum.Users, in.sum.Organizations = int64(len(in.users)), int64(len(in.orgs))
	in.sum.Receipts, in.sum.Audit = int64(len(in.receipts)), int64(len(in.trail)+len(in.refusals))
}
