package server

import (
	"net/http"
	"testing"

	"example.org/avatard/test/client"
)

// query is one delete: of user, or of the caller's own picture where own is set.
type query struct {
	own     bool
	user    string
	headers []string // name, value, …
}

// remove deletes in one form and checks what holds for every answer of that form.
func (f *fixture) remove(t *testing.T, form client.Form, q query) client.Answer {
	t.Helper()
	header := http.Header{}
	for i := 0; i+1 < len(q.headers); i += 2 {
		header.Add(q.headers[i], q.headers[i+1])
	}
	var got client.Answer
	if q.own {
		got = f.client.RemoveOwn(t.Context(), form, header)
	} else {
		got = f.client.Remove(t.Context(), form, header, q.user)
	}
	if got.Err != nil || got.Code == 0 && got.Details == nil {
		t.Fatalf("%s: %v, want an answer of the API", form, got)
	}
	if want := got.Detail.GetMessage() + " (" + got.Detail.GetId() + ")"; got.Detail != nil && got.Message != want {
		t.Errorf("%s: message = %q, want that of the detail with its id, %q", form, got.Message, want)
	}
	if form == client.REST && (got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Cache-Control") != "no-store") {
		t.Errorf("headers = %v, want JSON that nobody stores", got.Header)
	}
	return got
}
