package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"example.org/avatard/authz"
	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
	"example.org/avatard/test/client"
)

// erasing is a server, inside the bubble of a test, at which an organisation of many users is erased.
type erasing struct {
	*fixture
	t       *testing.T
	network *pipes
	// before is called before each user is erased.
	before func(context.Context)
	ended  chan struct{} // one for each call that has been answered or given up
}

// ObserveCall notes the end of a call.
func (e *erasing) ObserveCall(CallReport) { e.ended <- struct{}{} }

// heldStore calls before for each user who is erased.
type heldStore struct {
	storage.Store
	of *erasing
}

func (s heldStore) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	s.of.before(ctx)
	if err := ctx.Err(); err != nil {
		return storage.Result{}, err
	}
	return s.Store.EraseUser(ctx, rm)
}

// startErasing starts a server with users in globex.
func startErasing(t *testing.T, users int) *erasing {
	t.Helper()
	store, err := memory.New("").Open(t.Context(), "erasing", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e := &erasing{fixture: &fixture{store: store, log: new(lockedBuffer)}, t: t, network: newPipes(), before: func(context.Context) {}, ended: make(chan struct{}, 100)}
	for i := range users {
		e.add(t, fmt.Sprintf("2%017d", i), globex)
	}
	if e.server, err = New(Config{
		Store: heldStore{store, e}, Issuer: issuer, Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy()), Observer: e,
		Logger: slog.New(slog.NewTextHandler(e.log, nil)),
	}); err != nil {
		t.Fatal(err)
	}
	srv := NewHTTPServer(e.server.Handler(), nil)
	served := make(chan struct{})
	go func() {
		_ = srv.Serve(e.network)
		close(served)
	}()
	e.fixture.call(t, client.Config{URL: "http://erasing.test", Dial: e.network.dial})
	t.Cleanup(func() {
		e.client.Close()
		_ = srv.Close()
		<-served
		_ = store.Close()
	})
	return e
}

// left returns how many users of globex are left.
func (e *erasing) left() (users int) {
	e.t.Helper()
	for q := (storage.UserQuery{Organization: globex}); ; {
		page, err := e.store.ListUsers(context.Background(), q)
		if err != nil {
			e.t.Fatal(err)
		}
		users += len(page.Users)
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			return users
		}
	}
}

// erase calls EraseOrganization, and returns what the call was told.
func (e *erasing) erase(ctx context.Context, form client.Form) (answer client.Answer, told []*avatardv1.EraseOrganizationResponse) {
	e.t.Helper()
	header := http.Header{"Authorization": {"Bearer admin-token-1"}, "X-Zitadel-Orgid": {globex}}
	answer, messages := e.client.Invoke(ctx, form, header, method("EraseOrganization"), &avatardv1.EraseOrganizationRequest{OrganizationId: globex})
	for _, m := range messages {
		message := new(avatardv1.EraseOrganizationResponse)
		encoded, err := proto.Marshal(m)
		if err == nil {
			err = proto.Unmarshal(encoded, message)
		}
		if err != nil {
			e.t.Fatal(err)
		}
		told = append(told, message)
	}
	return answer, told
}

// finish erases what is left, and demands that nobody is.
func (e *erasing) finish(form client.Form, left int) {
	e.t.Helper()
	answer, told := e.erase(context.Background(), form)
	if answer.Err != nil || answer.Code != 0 || len(told) == 0 {
		e.t.Fatalf("%s: the call that goes on: %v", form, answer)
	}
	last := told[len(told)-1]
	if !last.GetFinished() || last.GetUsersErased() != uint64(left) || e.left() != 0 {
		e.t.Errorf("%s: in the end %v and %d users left, want %d erased and nobody left", form, last, e.left(), left)
	}
	if state, err := e.store.OrganizationState(context.Background(), globex); err != nil || state != storage.Ended {
		e.t.Errorf("%s: the organisation is in state %v, %v", form, state, err)
	}
}
