package bulkimport

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"example.org/avatard/internal/client"
)

// shelf is a server that keeps pictures as they are, unless something is set that it does otherwise.
type shelf struct {
	pictures map[string][]byte
	put, get error
	spoil    bool // what it answers is another picture
}

func (s *shelf) Put(_ context.Context, to client.Target, picture []byte, bound client.Condition) (client.Details, error) {
	if s.put != nil {
		return client.Details{}, s.put
	}
	if s.pictures[to.User] != nil && bound.OnlyFirst {
		return client.Details{}, client.ErrConditionFailed
	}
	s.pictures[to.User] = picture
	return client.Details{Sequence: "2"}, nil
}

func (s *shelf) Get(_ context.Context, of client.Target) (client.Picture, error) {
	data := s.pictures[of.User]
	switch {
	case s.get != nil:
		return client.Picture{}, s.get
	case data == nil:
		return client.Picture{}, client.ErrNotFound
	case s.spoil:
		data = []byte("another")
	}
	return client.Picture{Data: data, ETag: `"` + of.User + `"`}, nil
}

func items(n int) (all []Item) {
	for i := range n {
		name := fmt.Sprintf("user-%d", i)
		all = append(all, Item{Name: name, User: name, Read: func(context.Context) ([]byte, error) { return []byte(name), nil }})
	}
	return all
}

// What meets one item alone is reported and the others go on; what would meet all ends the import, and the rest is left for the next run.
func TestTroubles(t *testing.T) {
	same := func(_ context.Context, data []byte) ([]byte, error) { return data, nil }
	answer := func(status int, kind error) error { return errors.Join(&client.Error{Status: status}, kind) }
	for title, row := range map[string]struct {
		shelf  shelf
		verify bool
		want   Summary
		err    error
		reason Reason
	}{
		"all goes well":                {shelf{}, true, Summary{Items: 3, Imported: 3}, nil, ""},
		"another picture is read back": {shelf{spoil: true}, true, Summary{Items: 3, Unverified: 3}, nil, Unverified},
		"not read back":                {shelf{get: answer(500, nil)}, true, Summary{Items: 3, Unverified: 3}, nil, Unverified},
		"nobody there to read back":    {shelf{get: client.ErrUnreachable}, true, Summary{Items: 3}, client.ErrUnreachable, ""},
		"too large":                    {shelf{put: answer(413, client.ErrRefused)}, false, Summary{Items: 3, Refused: 3}, nil, TooLarge},
		"no picture":                   {shelf{put: answer(400, client.ErrRefused)}, false, Summary{Items: 3, Refused: 3}, nil, NotAPicture},
		"an inner error":               {shelf{put: answer(500, nil)}, false, Summary{Items: 3, Failed: 3}, nil, Failed},
		"nobody there":                 {shelf{put: client.ErrUnreachable}, false, Summary{Items: 3}, client.ErrUnreachable, ""},
		"no right":                     {shelf{put: answer(403, client.ErrNotPermitted)}, false, Summary{Items: 3}, client.ErrNotPermitted, ""},
		"nobody there to compare with": {shelf{pictures: map[string][]byte{"user-0": {1}}, get: client.ErrUnreachable}, false, Summary{Items: 3}, client.ErrUnreachable, ""},
	} {
		journal, err := OpenJournal(filepath.Join(t.TempDir(), "journal"), Subject{}, unlocked)
		if err != nil {
			t.Fatal(err)
		}
		if row.shelf.pictures == nil {
			row.shelf.pictures = map[string][]byte{}
		}
		var refusals []Refusal
		sum, err := Run(t.Context(), items(3), Config{Server: &row.shelf, Journal: journal, Normalize: same, Verify: row.verify, Parallel: 1,
			Report: func(r Refusal) error { refusals = append(refusals, r); return nil }})
		if sum != row.want || (row.err == nil) != (err == nil) || row.err != nil && !errors.Is(err, row.err) {
			t.Errorf("%s: %+v, %v, want %+v, %v", title, sum, err, row.want, row.err)
		}
		for _, r := range refusals {
			if r.Reason != row.reason || r.Name == "" || r.User == "" {
				t.Errorf("%s: %+v, want %s", title, r, row.reason)
			}
		}
		if err := journal.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An import that is told to stop says what is left.
func TestStoppedImport(t *testing.T) {
	journal, err := OpenJournal(filepath.Join(t.TempDir(), "journal"), Subject{}, unlocked)
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := 0
	sum, err := Run(ctx, items(10), Config{Server: &shelf{pictures: map[string][]byte{}}, Journal: journal, Parallel: 1, Progress: func() {
		if done++; done == 4 {
			cancel()
		}
	}})
	if sum.Imported != 4 || !errors.Is(err, context.Canceled) || sum.String() != "10 files: 4 imported, 0 imported before, 0 there already, 0 refused, 6 left" {
		t.Errorf("%v, %v", sum, err)
	}
}

// A picture that was imported, and that its user has deleted since, is not brought back by a file that changed since, unless --replace asks for it.
func TestFileThatChangedSince(t *testing.T) {
	server := &shelf{pictures: map[string][]byte{}}
	name := filepath.Join(t.TempDir(), "journal")
	run := func(title string, replace bool, text string, want Summary) (refused []Refusal) {
		t.Helper()
		journal, err := OpenJournal(name, Subject{}, unlocked)
		if err != nil {
			t.Fatal(err)
		}
		defer journal.Close()
		item := Item{Name: "ann.png", User: "ann", Read: func(context.Context) ([]byte, error) { return []byte(text), nil }}
		sum, err := Run(t.Context(), []Item{item}, Config{Server: server, Journal: journal, Parallel: 1, Replace: replace,
			Normalize: func(_ context.Context, data []byte) ([]byte, error) { return data, nil },
			Report:    func(r Refusal) error { refused = append(refused, r); return nil }})
		if err != nil || sum != want {
			t.Errorf("%s: %+v, %v, want %+v", title, sum, err, want)
		}
		return refused
	}
	run("first", false, "picture", Summary{Items: 1, Imported: 1})
	delete(server.pictures, "ann") // by the user
	run("again", false, "picture", Summary{Items: 1, Before: 1})
	refused := run("changed", false, "picture and a byte", Summary{Items: 1, Refused: 1})
	if len(refused) != 1 || refused[0].Reason != "changed" || refused[0].Text != "already imported, file changed since; --replace imports it" {
		t.Errorf("changed: %+v", refused)
	}
	if len(server.pictures) != 0 {
		t.Error("the picture is back")
	}
	run("replacing", true, "picture and a byte", Summary{Items: 1, Imported: 1})
	delete(server.pictures, "ann")
	run("replaced before", true, "picture and a byte", Summary{Items: 1, Before: 1})
}

// afterPut is a server at which something happens when a picture has been put.
type afterPut struct {
	*shelf
	puts int
	then func()
}

func (s *afterPut) Put(ctx context.Context, to client.Target, picture []byte, bound client.Condition) (client.Details, error) {
	defer s.then()
	s.puts++
	return s.shelf.Put(ctx, to, picture, bound)
}

// What was acknowledged is not uploaded again, also where it could not be read back: its user may have deleted it.
func TestUploadThatIsNotReadBack(t *testing.T) {
	for title, row := range map[string]struct {
		then  func(*shelf)
		first Summary
		text  string
	}{
		"the server goes away":   {func(s *shelf) { s.get = client.ErrUnreachable }, Summary{Items: 1}, ""},
		"the user deletes it":    {func(s *shelf) { delete(s.pictures, "user-0") }, Summary{Items: 1, Unverified: 1}, "it was uploaded, and is not there any more; its user may have deleted it since"},
		"the user sets another":  {func(s *shelf) { s.pictures["user-0"] = []byte("own") }, Summary{Items: 1, Unverified: 1}, "it was uploaded, and the user has another picture by now"},
		"the server is in error": {func(s *shelf) { s.get = &client.Error{Status: 500} }, Summary{Items: 1, Unverified: 1}, ""},
	} {
		inner := &shelf{pictures: map[string][]byte{}}
		server := &afterPut{shelf: inner, then: func() { row.then(inner) }}
		name := filepath.Join(t.TempDir(), "journal")
		for i, want := range []Summary{row.first, {Items: 1, Before: 1}} {
			journal, err := OpenJournal(name, Subject{}, unlocked)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			sum, err := Run(t.Context(), items(1), Config{Server: server, Journal: journal, Verify: true, Parallel: 1,
				Normalize: func(_ context.Context, data []byte) ([]byte, error) { return data, nil },
				Report:    func(r Refusal) error { said = r.Text; return nil }})
			if sum != want || i == 0 && row.text != "" && said != row.text || i == 1 && err != nil {
				t.Errorf("%s, run %d: %+v, %v, %q, want %+v", title, i, sum, err, said, want)
			}
			_ = journal.Close()
			delete(inner.pictures, "user-0") // by the user
		}
		if server.puts != 1 {
			t.Errorf("%s: %d uploads, want 1", title, server.puts)
		}
	}
}
