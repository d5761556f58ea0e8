package main

import (
	"bytes"
	"context"
	"errors"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/proof/testbed"
)

// examReport compares the report with what was put into the directory.
func (p *proof) examReport(t told) {
	want := map[string]bulkimport.Reason{}
	for _, f := range p.files {
		if f.reason != "" {
			want[f.name] = f.reason
		}
	}
	s := *t.summary
	if s.Items != len(p.files) || s.Refused != len(want) || s.Failed != 0 || s.Imported+s.Before+s.There != p.o.files {
		p.violation("the summary is %+v, want %d files and %d refused", s, len(p.files), len(want))
	}
	for _, r := range t.refusals {
		if r.Reason != want[r.Name] || r.Text == "" {
			p.violation("%s is reported for %q: %s", r.Name, r.Reason, r.Text)
		}
		delete(want, r.Name)
	}
	for name := range want {
		p.violation("%s is not reported", name)
	}
	p.figures.lost = s.There
}

// examStore looks at everybody's record. One registration and one upload make the sequence 2; a second upload would count, and leave a receipt.
func (p *proof) examStore(ctx context.Context) (err error) {
	place := embedded.At(embedded.Config{Dir: p.testbed.Data()})
	s, err := place.Open(ctx, storage.OpenOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	normalizer := picture.New(picture.Config{})
	for _, f := range p.files {
		if f.user == "" {
			continue
		}
		key := storage.UserKey{Issuer: p.testbed.Issuer(), ID: f.user}
		info, err := s.Stat(ctx, key, testbed.Organization)
		if f.reason != "" {
			if err == nil && info.Generation != "" {
				p.violation("%s has a picture, and its file was refused", f.user)
			}
			continue
		}
		want, sequence := f.number, uint64(2)
		if f.deleted {
			want, sequence = -1, 3
		}
		if err != nil || info.Details.Sequence != sequence {
			p.violation("the record of %s has the sequence %d, %v, want %d", f.user, info.Details.Sequence, err, sequence)
			continue
		}
		if err := p.examPicture(ctx, s, normalizer, key, want); err != nil {
			return err
		}
	}
	sum, err := s.Check(ctx, storage.CheckOptions{}, func(found storage.Finding) error {
		p.violation("a check finds %+v", found)
		return nil
	})
	if err == nil && sum.Receipts != int64(p.figures.deleted) {
		p.violation("%d receipts, want one for each of %d deletes: pictures were replaced", sum.Receipts, p.figures.deleted)
	}
	return err
}

// examPicture looks for the picture of a number; -1 = none.
func (p *proof) examPicture(ctx context.Context, s storage.Store, normalizer *picture.Normalizer, key storage.UserKey, number int) error {
	got, err := s.Get(ctx, key, testbed.Organization)
	if number < 0 {
		if !errors.Is(err, storage.ErrNoPicture) {
			p.violation("the picture of %s came back", key.ID)
		}
		return nil
	}
	if err != nil {
		p.violation("the picture of %s is missing: %v", key.ID, err)
		return nil
	}
	want, err := normalizer.Normalize(ctx, p.upload(number))
	if err == nil && !bytes.Equal(got.Data, want.Data) {
		p.violation("%s has another picture", key.ID)
	}
	return err
}
