package server

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/storage/storagetest/memory"
	"example.org/avatard/test/client"
)

// The store fails at each of its calls, in each way, while users and receipts are looked for and accounts and an organisation end. The
// caller gets a true answer, or 503 (504 when the deadline of the call passed), and the next try succeeds.
func TestStoreFaultsOfAccounts(t *testing.T) {
	for _, form := range []client.Form{client.REST, client.GRPC} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			pattern := storagetest.NewPattern(1)
			synctest.Test(t, func(t *testing.T) {
				store, err := memory.New("").Open(t.Context(), "faults", time.Now)
				if err != nil {
					t.Fatal(err)
				}
				l := startLab(t, subject{Engine: store}, pattern)
				l.form = form
				for _, l.fault = range storeFaults() {
					for call := 1; l.accounts(call); call++ {
					}
				}
			})
		})
	}
}

// accounts makes every call of both services about one more organisation, with the fault from that call of the store on. It reports whether
// the fault came.
func (l *lab) accounts(call int) (reached bool) {
	t, ctx := l.t, l.t.Context()
	l.users++
	l.at, l.hit = fmt.Sprintf("%s, call %d", l.fault.name, call), false
	by, again := storage.Origin{Caller: "test"}, storage.Origin{Caller: "test", Readmits: true}
	if _, err := l.engine.AddOrganization(ctx, globex, again); err != nil {
		t.Fatal(err)
	}
	var receipt string
	for i := range 3 {
		user := l.key(fmt.Sprintf("3%08d%08d", l.users, i))
		up := storage.Upload{User: user, Organization: globex, Register: true, By: by, Picture: storage.Picture{Format: storage.PNG, Data: picture.Sample(1, picture.MinSampleBytes)}}
		for range 2 {
			res, err := l.engine.Put(ctx, up)
			if err != nil {
				t.Fatal(err)
			}
			receipt = res.Receipt
		}
		l.user = user.ID
	}
	fault := l.fault.Fault
	fault.Call = call
	l.faults.Set(fault)
	for _, c := range []struct {
		method  protoreflect.Name
		request proto.Message
	}{
		{"GetUser", &avatardv1.GetUserRequest{UserId: l.user}},
		{"ListUsers", &avatardv1.ListUsersRequest{}},
		{"GetReceipt", &avatardv1.GetReceiptRequest{ReceiptId: receipt}},
		{"GetReceipt", &avatardv1.GetReceiptRequest{ReceiptId: receipt, WithProof: true}},
		{"ListReceipts", &avatardv1.ListReceiptsRequest{UserId: l.user}},
		{"GetReceiptLog", &avatardv1.GetReceiptLogRequest{OlderSize: 1}},
		{"EraseUser", &avatardv1.EraseUserRequest{UserId: l.user}},
		{"EraseUser", &avatardv1.EraseUserRequest{UserId: l.user}},
		{"EraseOrganization", &avatardv1.EraseOrganizationRequest{OrganizationId: globex}},
		{"EraseOrganization", &avatardv1.EraseOrganizationRequest{OrganizationId: globex}},
	} {
		l.try(string(c.method), func() reply { return l.invoke(c.method, c.request) }, nil)
	}
	reached = l.faults.Hits() > 0 || l.hit
	l.faults.Clear()
	page, err := l.engine.ListUsers(ctx, storage.UserQuery{Organization: globex})
	state, failed := l.engine.OrganizationState(ctx, globex)
	if err != nil || failed != nil || len(page.Users) > 0 || state != storage.Ended {
		t.Errorf("%s: in the end %d users are left, and the organisation is in state %v; %v, %v", l.at, len(page.Users), state, err, failed)
	}
	if !reached && call < 25 {
		t.Errorf("%s: only %d calls of the store: the server's are not counted", l.at, call-1)
	}
	return reached && !t.Failed()
}

// invoke makes one call.
func (l *lab) invoke(name protoreflect.Name, request proto.Message) reply {
	l.t.Helper()
	header := http.Header{"Authorization": {"Bearer admin-token-1"}, "X-Zitadel-Orgid": {globex}}
	answer, messages := l.client.Invoke(l.t.Context(), l.form, header, method(name), request)
	if answer.Err != nil {
		l.t.Fatalf("%s: %s: %v", l.at, name, answer)
	}
	got := reply{ok: answer.Code == 0, code: answer.Code, retryAfter: answer.Header.Get("Retry-After"), text: answer.Message + answer.Raw}
	if l.form == client.REST {
		got.status = answer.Status
	}
	if len(messages) > 0 && answer.Code != 0 { // behind the first message there is no status, and over REST no header
		if got.status = 0; l.form == client.REST && l.fault.code == answer.Code && answer.Code.String() == "unavailable" {
			got.retryAfter = "1"
		}
	}
	return got
}
