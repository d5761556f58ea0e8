package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/test/client"
)

// storeFault is a way in which the store fails.
type storeFault struct {
	faulty.Fault
	name string
	// These are the answers that a caller may get instead of success.
	code   connect.Code
	status int
}

// storeFaults are all faults of the wrapper, once and from some call on, and an error that is not in the contract.
func storeFaults() (all []storeFault) {
	for _, kind := range faulty.Kinds() {
		f := storeFault{name: kind.String(), code: connect.CodeUnavailable, status: http.StatusServiceUnavailable}
		f.Kind = kind
		switch kind {
		case faulty.HangBefore, faulty.HangAfter:
			f.code, f.status = connect.CodeDeadlineExceeded, http.StatusGatewayTimeout
			// Notes of refusals have no context that could end: they have to return at once.
			f.Methods = slices.DeleteFunc(faulty.Methods(), func(m faulty.Method) bool { return m == faulty.RecordRefusal })
		case faulty.Slow:
			f.Wait = func(context.Context) { time.Sleep(MaxCallDuration / 2) } // of the test's own clock
			f.code = 0
		}
		all = append(all, f)
		if f.Times = -1; kind != faulty.Slow { // two slow ones are more than a call has time for
			f.name += " from then on"
			all = append(all, f)
		}
	}
	odd := storeFault{name: "an error that nobody knows", code: connect.CodeInternal, status: http.StatusInternalServerError}
	odd.Err = errors.New("disk on fire: " + secret)
	return append(all, odd)
}

// The store fails at each of its calls, in each way, while pictures are uploaded, replaced, deleted and read. The caller gets a true
// answer, or 503 (504 when the deadline of the call passed) and finds everything as before or as asked for. The next try succeeds. In the
// end nothing is stuck, and no byte of a deleted picture is left.
func TestStoreFaults(t *testing.T) {
	for _, form := range []client.Form{client.REST, client.GRPC} {
		for _, own := range []bool{true, false} {
			testStoreFaults(t, embeddedSubject, form, own)
		}
	}
}

// Behind the engine for several processes it is the same. Each form and each kind of caller comes once there, as it takes longer.
func TestStoreFaultsOfACluster(t *testing.T) {
	engine := clusterSubject(clustertest.StartFor(t))
	testStoreFaults(t, engine, client.REST, true)
	testStoreFaults(t, engine, client.GRPC, false)
}

func testStoreFaults(t *testing.T, engine newSubject, form client.Form, own bool) {
	t.Run(fmt.Sprintf("%s/own %v", form, own), func(t *testing.T) {
		t.Parallel()
		pattern := storagetest.NewPattern(1)
		open := engine(t, pattern)
		synctest.Test(t, func(t *testing.T) {
			l := startLab(t, open(t), pattern)
			l.form, l.own = form, own
			for _, l.fault = range storeFaults() {
				for call := 1; l.scenario(call); call++ {
				}
			}
			l.end()
		})
	})
}

// scenario uploads, replaces, reads and deletes the picture of one more user, with the fault from that call of the store on. It reports
// whether the fault came.
func (l *lab) scenario(call int) (reached bool) {
	t := l.t
	l.users++
	l.user, l.uploaded, l.hit = fmt.Sprintf("2%017d", l.users), nil, false
	l.at = fmt.Sprintf("%s, call %d", l.fault.name, call)
	if !l.own { // the own upload registers
		if _, _, err := l.engine.AddUser(t.Context(), l.key(l.user), acme, storage.Origin{Caller: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	fault := l.fault.Fault
	fault.Call = call
	l.faults.Set(fault)
	none := []byte(nil)

	first := l.change("upload", l.upload, none)
	l.read("read", first)
	second := l.change("replacement", l.upload, first)
	l.refused()
	l.read("read", second)
	l.change("delete", l.remove, second)
	l.nothingLeft()
	l.read("read of what was deleted", none)
	l.change("delete again", l.remove, none)
	l.ready()

	reached = l.faults.Hits() > 0 || l.hit
	l.faults.Clear()
	if err := errors.Join(l.engine.Ready(t.Context()), l.engine.ErasuresDone(t.Context())); err != nil {
		t.Errorf("%s: %v at the end", l.at, err)
	}
	if st := l.engine.Stats(); st.Pending != 0 || st.Stuck != 0 {
		t.Errorf("%s: %d erasures pending, %d stuck at the end", l.at, st.Pending, st.Stuck)
	}
	want := 12
	if l.own { // an own delete asks for no organisation
		want = 10
	}
	if !reached && call < want {
		t.Errorf("%s: only %d calls of the store, want %d: the server's are not counted", l.at, call-1, want)
	}
	return reached && !t.Failed()
}

// reply is an answer, whatever form it had.
type reply struct {
	ok         bool
	code       connect.Code // 0 where the form has none
	status     int          // 0 likewise
	retryAfter string
	text       string
}

// try makes a call until it succeeds: once, or once more after a refusal. between checks the state after a refusal.
func (l *lab) try(what string, call func() reply, between func()) {
	t := l.t
	t.Helper()
	hits := l.faults.Hits()
	got := call()
	if got.ok {
		return
	}
	if l.faults.Hits() == hits {
		t.Fatalf("%s: %s = %+v although nothing went wrong", l.at, what, got)
	}
	l.checkRefusal(what, got)
	if l.fault.Times < 0 {
		l.checkRefusal(what+" again", call())
		l.hit = true
		l.faults.Clear()
	}
	if between != nil {
		between()
	}
	if got = call(); !got.ok {
		t.Fatalf("%s: the second %s = %+v, want success", l.at, what, got)
	}
}

// checkRefusal demands the answer to a call whose store failed.
func (l *lab) checkRefusal(what string, got reply) {
	t := l.t
	t.Helper()
	want := l.fault
	if got.ok || want.code == 0 || got.code != want.code && got.code != 0 || got.status != want.status && got.status != 0 {
		t.Errorf("%s: %s = %+v, want %v, %d", l.at, what, got, want.code, want.status)
	}
	if retry := want.code == connect.CodeUnavailable; (got.retryAfter != "") != retry {
		t.Errorf("%s: %s has Retry-After %q", l.at, what, got.retryAfter)
	}
	if strings.Contains(got.text, secret) || strings.Contains(got.text, "faulty") {
		t.Errorf("%s: %s tells %q", l.at, what, got.text)
	}
}

// change makes a change after which the user has what is returned, and had before until then.
func (l *lab) change(what string, call func() reply, before []byte) (after []byte) {
	t := l.t
	t.Helper()
	l.try(what, call, func() {
		now := l.holds()
		done := bytes.Equal(now, l.uploaded)
		if !done && !bytes.Equal(now, before) {
			t.Fatalf("%s: after a %s that was refused there are %d bytes that are neither the old nor the new", l.at, what, len(now))
		}
		l.read("read after a refused "+what, now)
	})
	after = l.uploaded
	if now := l.holds(); !bytes.Equal(now, after) {
		t.Fatalf("%s: after %s there are %d bytes, want %d", l.at, what, len(now), len(after))
	}
	return after
}

// upload uploads a picture that is the next of the pattern once it has passed the server.
func (l *lab) upload() reply {
	body, contentType := formOf(uploadField, picture.Sample(uint64(l.users), picture.MinSampleBytes))
	path, headers := "/assets/v1/users/me/avatar", l.headers()
	if !l.own {
		path = "/management/v1/users/" + l.user + "/avatar"
	}
	return l.rest(http.MethodPost, path, body, append(headers, "Content-Type", contentType))
}

// remove deletes in the form of the test.
func (l *lab) remove() reply {
	l.uploaded = nil
	got := l.fixture.remove(l.t, l.form, query{own: l.own, user: l.user, headers: l.headers()})
	r := reply{ok: got.Code == 0, code: got.Code, retryAfter: retryAfter(got), text: got.Message + got.Raw}
	if l.form == client.REST {
		r.status = got.Status
	}
	return r
}

func (l *lab) read(what string, want []byte) {
	l.t.Helper()
	l.try(what, func() reply {
		res, body := l.do(l.t, http.MethodGet, "/assets/v1/"+acme+"/users/"+l.user+"/avatar", nil)
		got := reply{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After"), text: body}
		switch {
		case res.StatusCode == http.StatusNotFound && want == nil:
			got.ok = true
		case res.StatusCode == http.StatusOK:
			if got.ok = want != nil && body == string(want); !got.ok {
				l.t.Fatalf("%s: %s gives %d bytes, want %d", l.at, what, len(body), len(want))
			}
		}
		return got
	}, nil)
}

// refused makes a call that its caller may not make. It stays refused, also when the store fails to record it.
func (l *lab) refused() {
	l.t.Helper()
	l.try("refused call", func() reply {
		got := l.rest(http.MethodDelete, "/management/v1/users/"+l.user+"/avatar", nil, bearer("viewer-token-1", "X-Zitadel-Orgid", acme))
		got.ok = got.status == http.StatusForbidden
		return got
	}, nil)
}

// ready demands that the server is ready as soon as the store is.
func (l *lab) ready() {
	l.t.Helper()
	l.try("readyz", func() reply {
		got := l.rest(http.MethodGet, "/readyz", nil, nil)
		if got.status == http.StatusServiceUnavailable { // which is all that it says
			got.status, got.code = l.fault.status, l.fault.code
			if l.fault.code == connect.CodeUnavailable {
				got.retryAfter = "1"
			}
		}
		return got
	}, nil)
}

// nothingLeft demands that no byte of any picture is kept: all were deleted by now.
func (l *lab) nothingLeft() {
	l.t.Helper()
	if kept, err := l.engine.kept(); err != nil || len(kept) > 0 {
		l.t.Errorf("%s: after the delete there are pieces of %v bytes, %v", l.at, kept, err)
	}
}
