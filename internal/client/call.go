package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// request is one call.
type request struct {
	method, path string
	header       http.Header
	body         []byte
	limit        int64 // of the answer's body
}

// answer is what came of it.
type answer struct {
	header http.Header
	body   []byte
	token  string // that the call was made with
}

// field is a header field as it may be shown.
func (a *answer) field(name string) string { return Printable(a.header.Get(name), a.token) }

// Waits between tries. A server names its own with Retry-After.
const (
	shortestWait = 200 * time.Millisecond
	longestWait  = 30 * time.Second
)

// call makes a call, again where the server is busy and names a time, until the time is over. A token that is not good any more is
// exchanged once for another one, where there is one.
func (c *Client) call(ctx context.Context, req request) (*answer, error) {
	if c.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
	}
	token, err := c.token(ctx, "")
	if err != nil {
		return nil, err
	}
	for renewed := false; ; {
		got, retryAfter, err := c.try(ctx, req, token)
		failed, isAnswer := errors.AsType[*Error](err)
		switch {
		case err == nil || !isAnswer:
			return got, err
		case failed.Status == http.StatusUnauthorized && token != "" && !renewed:
			fresh, renewErr := c.token(ctx, token)
			if renewErr != nil || fresh == token {
				return nil, err
			}
			token, renewed = fresh, true
			continue
		case !errors.Is(err, ErrUnreachable) || retryAfter == 0:
			return nil, err
		}
		if c.cfg.Wait(ctx, retryAfter) != nil {
			return nil, err
		}
	}
}

// token returns the caller's token, "" for a caller without one. rejected is one that the server does not take.
func (c *Client) token(ctx context.Context, rejected string) (string, error) {
	if c.cfg.Tokens == nil {
		return "", nil
	}
	return c.cfg.Tokens.Token(ctx, rejected)
}

// try makes a call once. retryAfter is how long the server asks to wait, 0 = it asks for no other try.
func (c *Client) try(ctx context.Context, r request, token string) (got *answer, retryAfter time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.cfg.URL+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, 0, err
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, 0, noAnswer(c.cfg.URL, err, token)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, r.limit+1))
	switch {
	case res.StatusCode != http.StatusOK:
		failed := newError(res, body[:min(int64(len(body)), r.limit)], token)
		return nil, retryAfterOf(res), failed
	case err != nil:
		return nil, 0, noAnswer(c.cfg.URL, err, token)
	case int64(len(body)) > r.limit:
		return nil, 0, errors.New("the answer is larger than any of avatard's")
	}
	return &answer{res.Header, body, token}, 0, nil
}

// noAnswer says that a server did not answer, by its address alone.
func noAnswer(server string, err error, token string) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	why := Printable(err.Error(), token)
	if errors.Is(err, context.DeadlineExceeded) {
		why = "no answer in time"
	}
	return fmt.Errorf("%w: %s: %s", ErrUnreachable, server, why)
}

func retryAfterOf(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(max(time.Duration(seconds)*time.Second, shortestWait), longestWait)
}
