package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.org/avatard/test/client"
)

// callTimeout is the deadline of every delete. No test waits for it: a call that meets it gets the code of a deadline, or no answer,
// which no test wants.
const callTimeout = 20 * time.Second

// answer is what a caller gets, in terms that all wire forms share.
type answer = client.Answer

// caller is a client of one server that speaks all wire forms.
type caller struct {
	*client.Client
	// organization goes into x-zitadel-orgid, "" = no such header.
	organization string
}

func newCaller(t *testing.T, url string) *caller {
	c := &caller{Client: client.New(client.Config{URL: url})}
	t.Cleanup(c.Close)
	return c
}

func (c *caller) header(token string) http.Header {
	header := client.Bearer(token)
	if c.organization != "" {
		header.Set("X-Zitadel-Orgid", c.organization)
	}
	return header
}

// remove deletes a user's picture in one form.
func (c *caller) remove(t *testing.T, form client.Form, token, user string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	return checkAnswer(t, string(form), c.Remove(ctx, form, c.header(token), user))
}

// removeInAllForms deletes a user's picture in all forms at once.
func (c *caller) removeInAllForms(t *testing.T, token, user string) map[client.Form]answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	all := c.RemoveInAllForms(ctx, c.header(token), user)
	for form, got := range all {
		checkAnswer(t, string(form), got)
	}
	return all
}

// checkAnswer demands a whole one.
func checkAnswer(t *testing.T, what string, got answer) answer {
	t.Helper()
	if got.Err != nil || got.Code == 0 && got.Details == nil {
		t.Errorf("%s: %v, want a whole answer", what, got) // not Fatal: goroutines come here, too
	}
	return got
}

// do sends any other request to a URL of the server.
func (c *caller) do(t *testing.T, method, url, token, contentType string, body []byte) answer {
	t.Helper()
	header := client.Bearer(token)
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	got := c.Do(t.Context(), method, strings.TrimPrefix(url, c.URL), header, body)
	if got.Err != nil {
		t.Errorf("%s %s: %v", method, url, got.Err)
	}
	return got
}

// upload sends a picture in a form.
func (c *caller) upload(t *testing.T, url, token string, data []byte) answer {
	t.Helper()
	form, contentType := client.UploadForm(data)
	return c.do(t, http.MethodPost, url, token, contentType, form)
}
