package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"avatard/server/picture"
)

func TestPlaces(t *testing.T) {
	for all, each := range map[int]int{1: 1, 3: 1, 8: 2, 16: 4} {
		p := newPlaces(all)
		var frees []func()
		for caller := range all / each {
			name := strconv.Itoa(caller)
			for range each {
				free, err := p.take(t.Context(), name)
				if err != nil {
					t.Fatalf("%d places, caller %s has fewer than %d: %v", all, name, each, err)
				}
				frees = append(frees, free)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, caller := range []string{"0", "late"} {
			if err := second(p.take(ended, caller)); !errors.Is(err, context.Canceled) {
				t.Errorf("%d places, all taken, caller %s: %v, want to wait for the end of the call", all, caller, err)
			}
		}
		for _, free := range frees {
			free()
		}
		if len(p.callers) != 0 || len(p.room) != 0 {
			t.Errorf("%d places: %v and %d are left", all, p.callers, len(p.room))
		}
	}
}

func second(_ func(), err error) error { return err }

// A caller who has all of theirs waits for one of them, while others find room.
func TestPlacesOfThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(8)
		frees := make([]func(), 2)
		for i := range frees {
			var err error
			if frees[i], err = p.take(t.Context(), "slow"); err != nil {
				t.Fatal(err)
			}
		}
		got := make(chan func(), 1)
		go func() {
			free, err := p.take(t.Context(), "slow")
			if err != nil {
				t.Errorf("the third: %v", err)
			}
			got <- free
		}()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("the third place of a caller with a share of two")
		}
		free, err := p.take(t.Context(), "other")
		if err != nil {
			t.Fatal(err)
		}
		free()
		frees[0]()
		(<-got)()
		frees[1]()
		if len(p.callers) != 0 || len(p.room) != 0 {
			t.Errorf("%v and %d are left", p.callers, len(p.room))
		}
	})
}

// A caller whose uploads never end waits for nobody but themselves, and everybody else goes on.
func TestSlowUploadsHoldUpNobodyElse(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxUploads = 8 })
	own := "/assets/v1/users/me/avatar"
	_, media := formOf("file", nil)
	var slow sync.WaitGroup
	var ends []*io.PipeWriter
	for range 2 {
		body, w := io.Pipe()
		ends = append(ends, w)
		slow.Go(func() {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, own, body)
			req.Header = http.Header{"Authorization": {"Bearer alice-token-1"}, "Content-Type": {media}}
			rec := httptest.NewRecorder()
			f.server.Handler().ServeHTTP(rec, req)
			if rec.Code != http.StatusBadRequest {
				t.Errorf("a slow upload that is given up: %d %s, want 400", rec.Code, rec.Body)
			}
		})
		if _, err := w.Write([]byte("-")); err != nil { // returns when the upload has its place and reads
			t.Fatal(err)
		}
	}
	body, media := formOf("file", picture.Sample(1, 1000))
	res, said := f.do(t, http.MethodPost, own, body, bearer("alice-token-1", "Content-Type", media, "Grpc-Timeout", "20m")...)
	if res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("the third upload, behind two that do not end: %d %s, want 504", res.StatusCode, said)
	}
	if res, said := f.upload(t, own, "new-token-1", picture.Sample(2, 1000)); res.StatusCode != http.StatusOK {
		t.Errorf("somebody else's: %d %s, want 200", res.StatusCode, said)
	}
	for _, w := range ends {
		_ = w.Close()
	}
	slow.Wait()
	if res, said := f.upload(t, own, "alice-token-1", picture.Sample(1, 1000)); res.StatusCode != http.StatusOK {
		t.Errorf("once they are over: %d %s, want 200", res.StatusCode, said)
	}
}

func TestUploadsWaitForAPlace(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxUploads = 1 })
	free, err := f.server.uploads.take(t.Context(), "somebody else")
	if err != nil {
		t.Fatal(err)
	}
	body, media := formOf("file", picture.Sample(1, 1000))
	res, said := f.do(t, http.MethodPost, "/assets/v1/users/me/avatar", body, bearer("alice-token-1", "Content-Type", media, "Grpc-Timeout", "20m")...)
	if res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("with all places taken: %d %s, want 504", res.StatusCode, said)
	}
	free()
	if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", picture.Sample(1, 1000)); res.StatusCode != http.StatusOK {
		t.Errorf("with a place: %d %s, want 200", res.StatusCode, said)
	}
}

// Readers who take nothing hold a bounded number of pictures in memory, and none but their own.
func TestReadsWaitForAPlace(t *testing.T) {
	f := start(t, nil)
	path := "/assets/v1/" + acme + "/users/" + alice + "/avatar"
	if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", picture.Sample(1, 1000)); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode, said)
	}
	read := func(address string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.RemoteAddr = address
		req.Header.Set("Grpc-Timeout", "20m")
		rec := httptest.NewRecorder()
		f.server.Handler().ServeHTTP(rec, req)
		return rec.Code
	}
	var frees []func()
	for range maxReads / 4 {
		free, err := f.server.reads.take(t.Context(), "2001:db8::")
		if err != nil {
			t.Fatal(err)
		}
		frees = append(frees, free)
	}
	if got := read("[2001:db8::7]:1"); got != http.StatusGatewayTimeout {
		t.Errorf("a reader of a network that has all its places: %d, want 504", got)
	}
	if got := read("192.0.2.1:1"); got != http.StatusOK {
		t.Errorf("somebody else: %d, want 200", got)
	}
	for _, free := range frees {
		free()
	}
	if got := read("[2001:db8::7]:1"); got != http.StatusOK {
		t.Errorf("with a place: %d, want 200", got)
	}
}
