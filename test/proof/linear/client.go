package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// person is a user, and the entity tags that clients have seen of their pictures.
type person struct {
	testbed.Person

	ended atomic.Bool // by the latest answer that tells: it spares readmissions of users who are registered

	mu   sync.Mutex
	tags map[int][]tag // by size, in the order in which they were first seen
}

type tag struct {
	text    string
	picture int
}

// learn notes the tag of a picture that was seen in a size. It reports false when that picture had another one before, or another
// picture this one.
func (p *person) learn(text string, picture, size int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tags[size] {
		if t.text == text || t.picture == picture {
			return t.text == text && t.picture == picture
		}
	}
	if p.tags == nil {
		p.tags = make(map[int][]tag)
	}
	p.tags[size] = append(p.tags[size], tag{text, picture})
	return true
}

// tag returns the n-th newest tag of a size, or one that names nothing.
func (p *person) tag(n, size int) tag {
	p.mu.Lock()
	defer p.mu.Unlock()
	tags := p.tags[size]
	if n == none || len(tags) == 0 {
		return tag{picture: none}
	}
	return tags[max(0, len(tags)-1-n)]
}

// party is the clients of one server.
type party struct {
	client   *client.Client
	manager  string
	people   []*person
	pictures *testbed.PictureSet
	resized  map[int]testbed.Resized // by size
	recorder *recorder
	readmit  func(ctx context.Context, user string) (created bool, err error)
	// dying reports whether the server is being killed.
	dying func() bool
}

// do makes one call, records it, and reports whether it was answered.
func (p *party) do(ctx context.Context, caller int, s step) bool {
	if s.patience > 0 {
		var leave context.CancelFunc
		ctx, leave = context.WithTimeout(ctx, s.patience)
		defer leave()
	}
	if s.kind != read && (s.kind != readmit || p.people[s.person].ended.Load()) {
		in := call{Kind: s.kind, User: p.people[s.person].ID, Picture: s.picture, Asked: none, How: how(s)}
		if id, ok := p.recorder.begin(caller, in); ok {
			return p.change(ctx, id, in, s)
		}
	}
	return p.read(ctx, caller, s)
}

func how(s step) string {
	text := "public"
	switch {
	case s.kind == readmit:
		text = "command"
	case s.own:
		text = "own"
	case s.kind != read:
		text = "manager"
	}
	if s.size > 0 {
		text += fmt.Sprintf(", %d pixels", s.size)
	}
	if s.kind == remove || s.kind == erase {
		text += ", " + string(s.form)
	}
	if s.patience > 0 {
		text += ", leaves after " + s.patience.String()
	}
	return text
}

func (p *party) change(ctx context.Context, id int, in call, s step) bool {
	u := p.people[s.person]
	var a client.Answer
	switch {
	case s.kind == readmit:
		return p.add(ctx, id, u)
	case s.kind == erase:
		a = p.erase(ctx, s.form, u.ID)
	case s.kind == upload && s.own:
		a = p.client.UploadOwn(ctx, client.Bearer(u.Token), p.pictures.All[s.picture].Upload)
	case s.kind == upload:
		a = p.client.Upload(ctx, client.Bearer(p.manager), u.ID, p.pictures.All[s.picture].Upload)
	case s.own:
		a = p.client.RemoveOwn(ctx, s.form, client.Bearer(u.Token))
	default:
		a = p.client.Remove(ctx, s.form, client.Bearer(p.manager), u.ID)
	}
	switch {
	case a.Acknowledged():
		if a.Sequence() == 0 && !p.dying() { // else it may have been cut off
			p.recorder.complain("%v, %s: the answer has no sequence", in, in.How)
		}
		p.recorder.answered(id, outcome{Sequence: a.Sequence(), Picture: none})
		u.ended.Store(s.kind == erase)
		return true
	case refused(s.kind, a):
		p.recorder.answered(id, outcome{Refused: true, Picture: none})
		u.ended.Store(true)
		return true
	case a.Err == nil && !slices.Contains([]connect.Code{connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled}, a.Code):
		p.recorder.complain("%v, %s: %v", in, in.How, a)
	}
	p.recorder.unanswered(id)
	return a.Err == nil
}

// number returns which picture these bytes are, in a size; false when none.
func (p *party) number(data []byte, size int) (number int, ok bool) {
	if size > 0 {
		return p.resized[size].Number(data)
	}
	return p.pictures.Number(data)
}

func (p *party) read(ctx context.Context, caller int, s step) bool {
	u := p.people[s.person]
	known := u.tag(s.tag, s.size)
	in := call{Kind: read, User: u.ID, Picture: none, Asked: known.picture, How: how(step{kind: read, own: s.own, size: s.size})}
	id, _ := p.recorder.begin(caller, in)
	var r client.Read
	if s.own {
		r = p.client.ReadOwnSize(ctx, client.Bearer(u.Token), known.text, s.size)
	} else {
		r = p.client.ReadSize(ctx, testbed.Organization, u.ID, known.text, s.size)
	}
	out := outcome{Picture: none}
	switch {
	case r.Err != nil || r.Status == http.StatusServiceUnavailable:
		p.recorder.unanswered(id)
		return r.Err == nil
	case r.Status == http.StatusNotFound:
	case r.Status == http.StatusNotModified && known.picture != none:
		out = outcome{Picture: known.picture, Unchanged: true}
	case r.Status == http.StatusOK:
		number, ok := p.number(r.Data, s.size)
		if !ok {
			p.recorder.complain("%v, %s: %d bytes that are no picture which was ever uploaded", in, in.How, len(r.Data))
			p.recorder.unanswered(id)
			return true
		}
		if !u.learn(r.ETag, number, s.size) {
			p.recorder.complain("%v, %s: picture %d with entity tag %s, which is not its own", in, in.How, number, r.ETag)
		}
		out.Picture = number
	default:
		p.recorder.complain("%v, %s: status %d", in, in.How, r.Status)
		p.recorder.unanswered(id)
		return true
	}
	p.recorder.answered(id, out)
	return true
}
