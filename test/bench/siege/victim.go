package main

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"sync"
	"time"
)

// victimNames are the calls that have to go on beside an attack.
var victimNames = [...]string{"health", "delete", "read", "upload"}

// callLimit is how long a victim waits. A call that has no answer by then has failed and counts with all this time.
const callLimit = 3 * time.Second

// slice is what came of one victim's calls at a fixed rate.
type slice struct {
	due, done int           // done: answered as they should be
	tail      time.Duration // percentile of the times to an answer, as options say
}

// kept is the share of the calls that were answered as they should be.
func (s slice) kept() float64 { return float64(s.done) / float64(max(1, s.due)) }

// victim is one caller with good manners. Each call has a new connection, as from a browser that has just started: a
// client that keeps one open would not notice that the server takes no more.
type victim struct {
	client *http.Client
	// request makes a call; the answer has to be one of the statuses.
	request  func(ctx context.Context) (*http.Request, error)
	statuses []int
}

// clientFrom returns the client of a victim, who comes from an address of its own.
func clientFrom(i int) *http.Client {
	return &http.Client{Timeout: callLimit, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialerFrom(victimAddress(i)).DialContext}}
}

// victims returns them in the order of victimNames, and the callers of the bystanders.
func (g *ground) victims(server string) []victim {
	call := func(method, path, token, contentType string, body []byte) func(context.Context) (*http.Request, error) {
		return func(ctx context.Context) (*http.Request, error) {
			req, err := http.NewRequestWithContext(ctx, method, server+path, bytes.NewReader(body))
			if err == nil && token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			if err == nil && contentType != "" {
				req.Header.Set("Content-Type", contentType)
			}
			return req, err
		}
	}
	formType, form := multipartForm(g.small)
	return append([]victim{
		{clientFrom(0), call(http.MethodGet, "/healthz", "", "", nil), []int{200}},
		{clientFrom(1), call(http.MethodDelete, "/auth/v1/users/me/avatar", g.deletes.Token, "", nil), []int{200}},
		{clientFrom(2), call(http.MethodGet, picturePath(g.reads), "", "", nil), []int{200}},
		{clientFrom(3), call(http.MethodPost, "/assets/v1/users/me/avatar", g.uploads.Token, formType, form), []int{200}},
	}, g.bystanders.callers()...)
}

// once makes one call and reports whether it was answered as it should be.
func (v victim) once(ctx context.Context) bool {
	req, err := v.request(ctx)
	if err != nil {
		return false
	}
	res, err := v.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && slices.Contains(v.statuses, res.StatusCode)
}

// pace makes calls at a rate, whether earlier ones have their answer or not.
func (v victim) pace(ctx context.Context, perSecond int, length time.Duration, percent int) slice {
	var s slice
	var mu sync.Mutex
	var times []time.Duration
	var calls sync.WaitGroup
	began := time.Now()
	for time.Since(began) < length && wait(ctx, 2*time.Millisecond) {
		for now := min(time.Since(began), length); ; s.due++ {
			after := time.Duration(s.due) * time.Second / time.Duration(perSecond)
			if after > now {
				break
			}
			due := began.Add(after)
			calls.Go(func() {
				ok := v.once(ctx)
				took := time.Since(due)
				mu.Lock()
				defer mu.Unlock()
				if ok {
					s.done++
				} else {
					took = max(took, callLimit)
				}
				times = append(times, took)
			})
		}
	}
	calls.Wait()
	if slices.Sort(times); len(times) > 0 {
		s.tail = times[len(times)*percent/100]
	}
	return s
}

// slicesOf lets all victims call for some time, side by side.
func slicesOf(ctx context.Context, victims []victim, perSecond int, length time.Duration, percent int) []slice {
	found := make([]slice, len(victims))
	var all sync.WaitGroup
	for i, v := range victims {
		all.Go(func() { found[i] = v.pace(ctx, perSecond, length, percent) })
	}
	all.Wait()
	return found
}

// multipartForm wraps a picture as uploads are.
func multipartForm(picture []byte) (contentType string, form []byte) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile("file", "picture") // a buffer takes everything
	_, _ = part.Write(picture)
	_ = w.Close()
	return w.FormDataContentType(), body.Bytes()
}
