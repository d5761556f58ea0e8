package server

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
)

// Receipts are found by the id that a delete answered, and in lists, the newest first, by those of their organisation alone.
func TestReceipts(t *testing.T) {
	f := startAccounts(t, nil)
	deleted := f.client.Remove(t.Context(), client.GRPC, client.Bearer("admin-token-1"), alice)
	f.give(t, bob, acme)
	f.give(t, bob, acme) // replaces
	other := f.client.Remove(t.Context(), client.REST, http.Header{"Authorization": {"Bearer admin-token-1"}, "X-Zitadel-Orgid": {globex}}, carol)
	if deleted.Receipt() == "" || other.Receipt() == "" {
		t.Fatalf("no receipts: %v, %v", deleted, other)
	}
	for _, form := range client.Forms() {
		_, got := invoke[avatardv1.GetReceiptResponse](t, f, form, "GetReceipt", bearer("viewer-token-1"), &avatardv1.GetReceiptRequest{ReceiptId: deleted.Receipt()})
		if len(got) != 1 {
			t.Fatalf("%s: no receipt", form)
		}
		r := got[0].GetReceipt()
		if r.GetReceiptId() != deleted.Receipt() || r.GetUserId() != alice || r.GetIssuer() != issuer || r.GetOrganizationId() != acme || r.GetReason() != avatardv1.ErasureReason_ERASURE_REASON_REMOVED ||
			r.GetCallerId() != "900000000000000001" || r.GetCallerOrganizationId() != acme || r.GetRequestId() != deleted.Header.Get("X-Request-Id") ||
			!r.GetErasureDate().IsValid() {
			t.Errorf("%s: the receipt of %v is %v", form, deleted, r)
		}
		for title, row := range map[string]struct{ id, org string }{
			"another organisation's": {other.Receipt(), acme}, "one's own elsewhere": {deleted.Receipt(), globex}, "none": {"00", acme},
		} {
			answer, _ := invoke[avatardv1.GetReceiptResponse](t, f, form, "GetReceipt", inOrganization("admin-token-1", row.org), &avatardv1.GetReceiptRequest{ReceiptId: row.id})
			if answer.Detail.GetId() != "AVATAR-r3Fn6" {
				t.Errorf("%s: %s = %v, want AVATAR-r3Fn6", form, title, answer)
			}
		}
		at := r.GetErasureDate()
		for title, row := range map[string]struct {
			request *avatardv1.ListReceiptsRequest
			org     string
			users   []string
		}{
			"all":                 {&avatardv1.ListReceiptsRequest{}, acme, []string{bob, alice}},
			"of globex":           {&avatardv1.ListReceiptsRequest{}, globex, []string{carol}},
			"alice's":             {&avatardv1.ListReceiptsRequest{UserId: alice}, acme, []string{alice}},
			"carol's, in acme":    {&avatardv1.ListReceiptsRequest{UserId: carol}, acme, nil},
			"since the first":     {&avatardv1.ListReceiptsRequest{Since: at}, acme, []string{bob, alice}},
			"behind the first":    {&avatardv1.ListReceiptsRequest{Since: timestamppb.New(at.AsTime().Add(time.Microsecond))}, acme, []string{bob}},
			"before the first":    {&avatardv1.ListReceiptsRequest{Until: at}, acme, nil},
			"until the first":     {&avatardv1.ListReceiptsRequest{Until: timestamppb.New(at.AsTime().Add(time.Microsecond))}, acme, []string{alice}},
			"between two moments": {&avatardv1.ListReceiptsRequest{Since: at, Until: timestamppb.New(at.AsTime().Add(time.Microsecond))}, acme, []string{alice}},
		} {
			answer, got := invoke[avatardv1.ListReceiptsResponse](t, f, form, "ListReceipts", inOrganization("admin-token-1", row.org), row.request)
			var users []string
			for _, page := range got {
				for _, r := range page.GetReceipts() {
					users = append(users, r.GetUserId())
				}
			}
			if len(got) != 1 || !slices.Equal(users, row.users) {
				t.Errorf("%s: %s = %v, want %v; %v", form, title, users, row.users, answer)
			}
		}
	}
}

// Receipts of an organisation that has ended are shown, and nothing else of it.
func TestReceiptsOfAnEndedOrganization(t *testing.T) {
	f := startAccounts(t, nil)
	_, told := invoke[avatardv1.EraseOrganizationResponse](t, f, client.GRPC, "EraseOrganization", inOrganization("admin-token-1", globex),
		&avatardv1.EraseOrganizationRequest{OrganizationId: globex})
	if len(told) == 0 || !told[len(told)-1].GetFinished() {
		t.Fatalf("the erasure says %v", told)
	}
	headers := inOrganization("admin-token-1", globex)
	_, list := invoke[avatardv1.ListReceiptsResponse](t, f, client.REST, "ListReceipts", headers, &avatardv1.ListReceiptsRequest{})
	if len(list) != 1 || len(list[0].GetReceipts()) != 1 || list[0].GetReceipts()[0].GetUserId() != carol {
		t.Fatalf("the receipts are %v", list)
	}
	id := list[0].GetReceipts()[0].GetReceiptId()
	if answer, _ := invoke[avatardv1.GetReceiptResponse](t, f, client.REST, "GetReceipt", headers, &avatardv1.GetReceiptRequest{ReceiptId: id}); answer.Code != 0 || answer.Err != nil {
		t.Errorf("the receipt: %v", answer)
	}
	for title, got := range map[string]client.Answer{
		"a delete": f.client.Remove(t.Context(), client.REST, http.Header{"Authorization": {headers[1]}, "X-Zitadel-Orgid": {globex}}, carol),
		"no role": func() client.Answer {
			a, _ := invoke[avatardv1.ListReceiptsResponse](t, f, client.GRPC, "ListReceipts", inOrganization("viewer-token-1", globex), &avatardv1.ListReceiptsRequest{})
			return a
		}(),
		"its users": func() client.Answer {
			a, _ := invoke[avatardv1.ListUsersResponse](t, f, client.GRPC, "ListUsers", headers, &avatardv1.ListUsersRequest{})
			return a
		}(),
	} {
		want := "AUTH-Bs7Ds"
		if title == "no role" {
			want = "AUTHZ-cdgFk"
		}
		if got.Detail.GetId() != want {
			t.Errorf("%s: %v, want %s", title, got, want)
		}
	}
	if state, err := f.store.OrganizationState(t.Context(), globex); err != nil || state != storage.Ended {
		t.Errorf("globex is in state %v, %v", state, err)
	}
}
