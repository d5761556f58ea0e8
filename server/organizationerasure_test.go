package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
)

// inForms runs a test in a bubble of its own for each wire form.
func inForms(t *testing.T, test func(t *testing.T, form client.Form)) {
	for _, form := range client.Forms() {
		t.Run(string(form), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, form) })
		})
	}
}

// An organisation is erased in one call, which says how far it is about once a second. Erasing it again is finished at once.
func TestEraseOrganization(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		e := startErasing(t, 200)
		e.before = func(context.Context) { time.Sleep(200 * time.Millisecond) }
		answer, told := e.erase(t.Context(), form)
		if answer.Err != nil || answer.Code != 0 || len(told) < 8 || len(told) > 15 {
			t.Fatalf("%v, told %d times: %v", answer, len(told), told)
		}
		var before uint64
		for i, m := range told {
			if last := i == len(told)-1; m.GetFinished() != last || m.GetUsersErased() < before || i == 0 && m.GetUsersErased() != 0 {
				t.Errorf("message %d is %v", i, m)
			}
			before = m.GetUsersErased()
		}
		if before != 200 || e.left() != 0 {
			t.Errorf("%d erased, %d left, want 200 and 0", before, e.left())
		}
		if form == client.REST && answer.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("Content-Type %q", answer.Header.Get("Content-Type"))
		}
		e.finish(form, 0)
	})
}

// A caller who leaves ends the erasure between two users. The next call goes on with the rest.
func TestEraseOrganizationCut(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		e := startErasing(t, 50)
		var begun atomic.Int64
		held := make(chan struct{})
		e.before = func(context.Context) {
			if begun.Add(1) > 10 {
				<-held
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan client.Answer)
		go func() {
			answer, _ := e.erase(ctx, form)
			answered <- answer
		}()
		synctest.Wait()
		if e.left() != 40 {
			t.Fatalf("%d users left, want 40", e.left())
		}
		cancel()
		if answer := <-answered; answer.Err == nil && answer.Code == 0 {
			t.Errorf("the call that was left: %v", answer)
		}
		synctest.Wait()
		close(held)
		<-e.ended
		// Those who were being erased are, and no others.
		if left := e.left(); left < 30 || left >= 40 {
			t.Fatalf("%d users left after the call, want a few less than 40", left)
		}
		if state, err := e.store.OrganizationState(t.Context(), globex); err != nil || state != storage.Ending {
			t.Errorf("the organisation is in state %v, %v", state, err)
		}
		e.finish(form, e.left())
	})
}

// A call ends in order before its time is over, also where much is left. The next calls go on.
func TestEraseOrganizationInParts(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		e := startErasing(t, 250)
		e.before = func(context.Context) { time.Sleep(time.Second) }
		began := time.Now()
		answer, told := e.erase(t.Context(), form)
		if answer.Err != nil || answer.Code != 0 || len(told) == 0 {
			t.Fatal(answer, told)
		}
		last := told[len(told)-1]
		if took := time.Since(began); last.GetFinished() || took < maxErasing || took > maxErasing+2*time.Second || uint64(e.left()) != 250-last.GetUsersErased() || last.GetUsersErased() < 90 {
			t.Errorf("after %v: %v and %d users left", took, last, e.left())
		}
		e.erase(t.Context(), form)
		e.finish(form, e.left())
	})
}

// The caller's deadline ends the call, also while the store hangs. What was done stays done.
func TestEraseOrganizationDeadline(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		for asked, want := range map[time.Duration]time.Duration{5 * time.Second: 5 * time.Second, 0: MaxCallDuration} {
			e := startErasing(t, 20)
			var begun atomic.Int64
			e.before = func(ctx context.Context) {
				if begun.Add(1) > 10 {
					<-ctx.Done()
				}
			}
			header := http.Header{"Authorization": {"Bearer admin-token-1"}, "X-Zitadel-Orgid": {globex}}
			if asked > 0 {
				header.Set("Connect-Timeout-Ms", fmt.Sprint(asked.Milliseconds()))
				header.Set("Grpc-Timeout", fmt.Sprintf("%dm", asked.Milliseconds()))
			}
			began := time.Now()
			answer, _ := e.client.Invoke(t.Context(), form, header, method("EraseOrganization"), &avatardv1.EraseOrganizationRequest{OrganizationId: globex})
			if took := time.Since(began); answer.Code != connect.CodeDeadlineExceeded || took < want || took > want+time.Second {
				t.Errorf("with a deadline of %v: after %v: %v", asked, took, answer)
			}
			if e.left() != 10 {
				t.Errorf("with a deadline of %v: %d users left, want 10", asked, e.left())
			}
			e.before = func(context.Context) {}
			e.finish(form, 10)
		}
	})
}

// A caller who takes nothing of the answer does not hold up the erasure, and is not waited for longer than a call may take.
func TestEraseOrganizationForASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startErasing(t, 100)
		e.before = func(context.Context) { time.Sleep(100 * time.Millisecond) }
		conn, err := e.network.dial(t.Context(), "", "") // whose buffers hold nothing
		if err != nil {
			t.Fatal(err)
		}
		defer func(conn net.Conn) { _ = conn.Close() }(conn)
		began := time.Now()
		request := "DELETE /avatard/v1/organizations/" + globex + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token-1\r\nX-Zitadel-Orgid: " + globex + "\r\n\r\n"
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if e.left() != 0 {
			t.Errorf("%d users left after 5 s", e.left())
		}
		<-e.ended
		if took := time.Since(began); took > MaxCallDuration+2*streamEnd {
			t.Errorf("the call ended after %v", took)
		}
		e.finish(client.GRPC, 0)
	})
}

// Two calls at once erase the same organisation together.
func TestEraseOrganizationTwice(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		e := startErasing(t, 300)
		e.before = func(context.Context) { time.Sleep(10 * time.Millisecond) }
		type outcome struct {
			answer client.Answer
			told   []*avatardv1.EraseOrganizationResponse
		}
		outcomes := make(chan outcome)
		for range 2 {
			go func() {
				answer, told := e.erase(t.Context(), form)
				outcomes <- outcome{answer, told}
			}()
		}
		var erased uint64
		for range 2 {
			got := <-outcomes
			if got.answer.Err != nil || got.answer.Code != 0 || len(got.told) == 0 || !got.told[len(got.told)-1].GetFinished() {
				t.Fatalf("one of two: %v, %v", got.answer, got.told)
			}
			erased += got.told[len(got.told)-1].GetUsersErased()
		}
		if erased < 300 || e.left() != 0 {
			t.Errorf("%d erased by both, %d left", erased, e.left())
		}
	})
}

// What cannot be erased is refused before anything is done, in every form.
func TestEraseOrganizationRefusals(t *testing.T) {
	for title, row := range map[string]struct {
		headers []string
		repeats string
		id      string
		code    connect.Code
		audited bool
	}{
		"another organisation repeated":  {inOrganization("admin-token-1", globex), acme, "AVATAR-o4Rp8", connect.CodeInvalidArgument, true},
		"one that is in the settings":    {inOrganization("admin-token-1", acme), acme, "AVATAR-o7Cf3", connect.CodeFailedPrecondition, true},
		"one that is unknown":            {inOrganization("admin-token-1", initech), initech, "AUTH-Bs7Ds", connect.CodePermissionDenied, true},
		"unknown, and the caller's own":  {bearer("owner-of-initech-1"), initech, "AUTH-Bs7Ds", connect.CodePermissionDenied, true},
		"without the permission":         {inOrganization("viewer-token-1", acme), acme, "AUTH-5mWD2", connect.CodePermissionDenied, true},
		"nothing repeated":               {inOrganization("admin-token-1", globex), "", "", connect.CodeInvalidArgument, false},
		"something that is no id at all": {inOrganization("admin-token-1", globex), "a\x01b", "", connect.CodeInvalidArgument, false},
	} {
		f := startAccounts(t, func(c *Config) {
			who := people()
			owner := who["admin-token-1"]
			owner.Subject, owner.Organization, owner.Roles = "7", initech, map[string][]string{"ORG_OWNER": {initech}}
			who["owner-of-initech-1"] = owner
			c.Authenticator, c.StartOrganizations = tokens(who), []string{acme}
		})
		for _, form := range client.Forms() {
			answer, told := invoke[avatardv1.EraseOrganizationResponse](t, f, form, "EraseOrganization", row.headers, &avatardv1.EraseOrganizationRequest{OrganizationId: row.repeats})
			if form == client.REST && row.repeats == "" {
				continue // there is no such path
			}
			if answer.Code != row.code || answer.Detail.GetId() != row.id || len(told) > 0 {
				t.Errorf("%s over %s: %v, told %v; want %v %s", title, form, answer, told, row.code, row.id)
			}
		}
		f.server.refusals.flush(maxRefusalKinds)
		page, err := f.store.ListAudit(t.Context(), storage.AuditQuery{Kind: storage.Refusals})
		if err != nil || (len(page.Records) > 0) != row.audited {
			t.Errorf("%s: %d refusals in the trail (%v), want some: %v", title, len(page.Records), err, row.audited)
		}
		for _, org := range []string{acme, globex} {
			if state, err := f.store.OrganizationState(t.Context(), org); err != nil || state != storage.Registered {
				t.Errorf("%s: %s is in state %v, %v", title, org, state, err)
			}
		}
	}
}

// An erasure that fails in the middle says so, in the form of the call: over REST in the last line.
func TestEraseOrganizationFails(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		e := startErasing(t, 10)
		e.server.config.Store = failingErasures{e.server.config.Store}
		e.before = func(context.Context) { time.Sleep(time.Second) }
		answer, told := e.erase(t.Context(), form)
		if answer.Code != connect.CodeUnavailable || len(told) == 0 || strings.Contains(answer.Raw, secret) {
			t.Errorf("%v, told %v", answer, told)
		}
		if !strings.Contains(e.log.String(), secret) {
			t.Error("the log does not say why")
		}
		if form != client.REST && answer.Header.Get("Retry-After") == "" && !strings.Contains(strings.ToLower(answer.Raw), "retry-after") {
			t.Errorf("no Retry-After: %q", answer.Raw)
		}
		e.server.config.Store = e.server.config.Store.(failingErasures).Store
		e.finish(form, 10)
	})
}

// failingErasures erases no user.
type failingErasures struct{ storage.Store }

func (s failingErasures) EraseUser(context.Context, storage.Removal) (storage.Result, error) {
	return storage.Result{}, fmt.Errorf("%w: %s", storage.ErrUnavailable, secret)
}

// An organisation that has users although nobody can have come in is there for another call.
func TestEraseOrganizationInUse(t *testing.T) {
	inForms(t, func(t *testing.T, form client.Form) {
		e := startErasing(t, 3)
		e.server.config.Store = usedOrganizations{e.server.config.Store}
		if answer, told := e.erase(t.Context(), form); answer.Code != connect.CodeUnavailable || len(told) == 0 || told[len(told)-1].GetFinished() {
			t.Errorf("%v, told %v", answer, told)
		}
		e.server.config.Store = e.server.config.Store.(usedOrganizations).Store
		e.finish(form, 0)
	})
}

// usedOrganizations has users in each organisation.
type usedOrganizations struct{ storage.Store }

func (s usedOrganizations) RemoveOrganization(context.Context, string, storage.Origin) (bool, error) {
	return false, storage.ErrOrganizationInUse
}
