package admin

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/storagetest/memory"
)

const issuer = "https://issuer.test"

// socketOf serves the socket of a store with users of acme until the test ends, with faults that are set later.
func socketOf(t *testing.T, users int, a *Server) (client Client, store *faulty.Store, stop func()) {
	t.Helper()
	engine, err := memory.New("").Open(t.Context(), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for n := range users {
		key := storage.UserKey{Issuer: issuer, ID: fmt.Sprintf("user-%04d", n)}
		_, err := engine.Put(t.Context(), storage.Upload{User: key, Organization: "acme", Register: true, By: CommandLine,
			Picture: storage.Picture{Format: storage.PNG, Data: []byte("picture")}})
		if err != nil {
			t.Fatal(err)
		}
	}
	store, dir := faulty.New(engine), t.TempDir()
	a.Store, a.Issuer = faulty.Engine{Store: store, Keeper: engine}, issuer
	stop, err = Serve(dir, a)
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(dir), store, stop
}

// refusedWith demands that a call was refused with a text.
func refusedWith(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s = %v, want %q", what, err, text)
	}
}

// A server ends an organisation and says how far it is. What has ended is refused to a command that does not readmit it, and says how it comes back.
func TestOrganizationEndsThroughTheSocket(t *testing.T) {
	client, _, stop := socketOf(t, storage.MaxPage+50, &Server{Logger: slog.New(slog.DiscardHandler), Configured: []string{"settled"}})
	defer stop()
	ctx := t.Context()
	_, err := client.RemoveOrganization(ctx, OrganizationRemoval{Organization: "settled"}, nil)
	refusedWith(t, "ending what the settings register", err, "take it out of organisations and default_organisation")
	_, err = client.RemoveOrganization(ctx, OrganizationRemoval{Organization: "other"}, nil)
	refusedWith(t, "ending what there is not", err, "organisation other is not registered (there is acme)")
	shown := int64(0)
	dry, err := client.RemoveOrganization(ctx, OrganizationRemoval{Organization: "acme", DryRun: true}, func(int64, int64) {})
	if want := (RemovedOrganization{"acme", storage.MaxPage + 50, storage.MaxPage + 50, true}); err != nil || dry != want {
		t.Errorf("a dry run = %+v, %v, want %+v", dry, err, want)
	}
	removed, err := client.RemoveOrganization(ctx, OrganizationRemoval{Organization: "acme"}, func(done, total int64) {
		if shown++; done < 1 || done > total || total != storage.MaxPage+50 {
			t.Errorf("progress: %d of %d", done, total)
		}
	})
	if want := (RemovedOrganization{Organization: "acme", Users: storage.MaxPage + 50, Pictures: storage.MaxPage + 50}); err != nil || removed != want || shown == 0 {
		t.Errorf("RemoveOrganization = %+v, %v, want %+v and progress", removed, err, want)
	}
	if removed, err := client.RemoveOrganization(ctx, OrganizationRemoval{Organization: "acme"}, nil); err != nil || removed.Users != 0 {
		t.Errorf("RemoveOrganization again = %+v, %v", removed, err)
	}
	for _, newOrg := range []bool{false, true} {
		_, err = client.AddUser(ctx, Request{User: "new", Organization: "acme", Admission: Admission{NewOrganization: newOrg, Readmits: true}})
		refusedWith(t, "a user in what has ended", err, `organisation acme has ended; "avatard org add" registers it again`)
	}
	_, err = client.AddOrganization(ctx, "acme", Admission{})
	refusedWith(t, "what has ended", err, `"avatard org add" registers it again`)
	if created, err := client.AddOrganization(ctx, "acme", Admission{Readmits: true}); err != nil || !created {
		t.Errorf("AddOrganization that readmits = %v, %v", created, err)
	}
	_, err = client.AddUser(ctx, Request{User: "user-0001", Organization: "acme"})
	refusedWith(t, "somebody who has ended", err, `the user has ended; "avatard user add" registers them again`)
	if created, err := client.AddUser(ctx, Request{User: "user-0001", Organization: "acme", Admission: Admission{Readmits: true}}); err != nil || !created {
		t.Errorf("AddUser that readmits = %v, %v", created, err)
	}
}

// Somebody who has ended is found under their issuer, and told with the last receipt.
func TestUserEndsTwiceThroughTheSocket(t *testing.T) {
	client, store, stop := socketOf(t, 1, &Server{Logger: slog.New(slog.DiscardHandler)})
	defer stop()
	first, err := client.RemoveUser(t.Context(), UserRemoval{User: "user-0000"})
	if err != nil || first.Removed == nil || !first.Removed.HadPicture || first.Removed.Receipt == "" {
		t.Fatalf("RemoveUser = %+v, %v", first, err)
	}
	want := RemovedUser{User: "user-0000", Issuer: issuer, Organization: "acme", Receipt: first.Removed.Receipt, AlreadyEnded: true}
	for _, req := range []UserRemoval{{User: "user-0000", Issuer: issuer}, {User: "user-0000"}, {User: "user-0000", Organization: "acme"}} {
		if again, err := client.RemoveUser(t.Context(), req); err != nil || again.Removed == nil || *again.Removed != want {
			t.Errorf("RemoveUser of %+v again = %+v, %v, want %+v", req, again, err, want)
		}
	}
	for _, req := range []UserRemoval{{User: "user-0000", DryRun: true}, {User: "user-0000", Organization: "other"}, {User: "user-0001"}, {User: "user-0000", Issuer: issuer, Organization: "other"}, {User: "user-0000", Issuer: "https://other.test"}} {
		if reply, err := client.RemoveUser(t.Context(), req); err != nil || !strings.HasPrefix(reply.Kept, "not registered") {
			t.Errorf("RemoveUser of %+v = %+v, %v", req, reply, err)
		}
	}
	for _, id := range []string{"user-0000", "somebody"} { // somebody keeps the issuer on record
		if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: "https://other.test", ID: id}, "acme", CommandLine); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := client.RemoveUser(t.Context(), UserRemoval{User: "user-0000"}); err != nil || reply.Removed == nil || reply.Removed.AlreadyEnded {
		t.Errorf("RemoveUser of who is registered with another issuer = %+v, %v", reply, err)
	}
	if reply, err := client.RemoveUser(t.Context(), UserRemoval{User: "user-0000"}); err != nil || !strings.Contains(reply.Kept, "all of whom have ended already") {
		t.Errorf("RemoveUser of two who have ended = %+v, %v", reply, err)
	}
}

// A failure reaches the command without its cause, which is in the log, and says that the command goes on with it.
func TestOrganizationEndsLater(t *testing.T) {
	var log bytes.Buffer
	client, store, stop := socketOf(t, 9, &Server{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	planted := errors.New("planted")
	for _, method := range []faulty.Method{faulty.EndOrganization, faulty.EraseUser, faulty.ListUsers, faulty.RemoveOrganization} {
		store.Set(faulty.Fault{Methods: []faulty.Method{method}, Times: -1, Err: planted})
		_, err := client.RemoveOrganization(t.Context(), OrganizationRemoval{Organization: "acme"}, func(int64, int64) {})
		if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "the server's log says") {
			t.Errorf("RemoveOrganization with %s that fails = %v", method, err)
		}
	}
	store.Clear()
	if removed, err := client.RemoveOrganization(t.Context(), OrganizationRemoval{Organization: "acme"}, nil); err != nil || removed.Users != 0 { // they went before its own end failed
		t.Errorf("RemoveOrganization = %+v, %v", removed, err)
	}
	stop()
	if n := strings.Count(log.String(), "planted"); n != 4 || !strings.Contains(log.String(), "such as user-0000") {
		t.Errorf("the log has the cause %d times, want 4 and a user:\n%s", n, log.String())
	}
}

// A server that stops ends the erasure behind the users it has begun with, and says so.
func TestServerStopsWhileAnOrganizationEnds(t *testing.T) {
	client, store, stop := socketOf(t, storage.MaxPage+50, &Server{Logger: slog.New(slog.DiscardHandler)})
	store.Set(faulty.Fault{Kind: faulty.HangBefore, Methods: []faulty.Method{faulty.OrganizationState}, Call: 3}) // before the second page
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for store.Hits() == 0 {
			runtime.Gosched()
		}
		stop()
	}()
	removed, err := client.RemoveOrganization(t.Context(), OrganizationRemoval{Organization: "acme"}, func(int64, int64) {})
	refusedWith(t, "ending while the server stops", err, "the server is stopping; the same command again goes on")
	if removed.Users != storage.MaxPage {
		t.Errorf("%d users were erased, want %d", removed.Users, storage.MaxPage)
	}
	<-stopped
}

// A command is refused by a server of an earlier version, which would remove somebody without keeping them from registering again.
func TestEarlierServer(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	earlier := http.NewServeMux()
	earlier.HandleFunc("POST /removals", func(http.ResponseWriter, *http.Request) { t.Error("the earlier call was made") })
	srv := &http.Server{Handler: earlier, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln)
	}()
	client := NewClient(dir)
	_, user := client.RemoveUser(t.Context(), UserRemoval{User: "eve"})
	_, org := client.RemoveOrganization(t.Context(), OrganizationRemoval{Organization: "acme"}, nil)
	_, receipts := client.Receipts(t.Context(), ReceiptsRequest{})
	_, receipt := client.Receipt(t.Context(), ReceiptRequest{})
	_, audit := client.Audit(t.Context(), AuditRequest{})
	for what, err := range map[string]error{"ending a user": user, "ending an organisation": org, "receipts": receipts, "a receipt": receipt, "the trail": audit} {
		refusedWith(t, what, err, "the running server is of an earlier version, which does not know this command")
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	<-ended
}
