package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
)

// A user is shown with what is known of their picture, whose address is that of the picture itself.
func TestGetUser(t *testing.T) {
	f := startAccounts(t, nil)
	for _, form := range client.Forms() {
		f.give(t, alice, acme)
		answer, got := invoke[avatardv1.GetUserResponse](t, f, form, "GetUser", bearer("viewer-token-1"), &avatardv1.GetUserRequest{UserId: alice})
		if len(got) != 1 {
			t.Fatalf("%s: %v", form, answer)
		}
		info, err := f.store.Stat(t.Context(), f.key(alice), acme)
		if err != nil {
			t.Fatal(err)
		}
		want := &avatardv1.User{UserId: alice, Details: objectDetails(info.Details), Picture: &avatardv1.Picture{
			MediaType: "image/png", SizeBytes: info.Size, PictureUrl: got[0].GetUser().GetPicture().GetPictureUrl()}}
		if !proto.Equal(got[0].GetUser(), want) || info.Size == 0 {
			t.Errorf("%s: %v, want %v", form, got[0].GetUser(), want)
		}
		if res, body := f.do(t, http.MethodGet, want.GetPicture().GetPictureUrl(), nil); res.StatusCode != http.StatusOK || int64(len(body)) != info.Size {
			t.Errorf("%s: the picture at %s: %d, %d bytes", form, want.GetPicture().GetPictureUrl(), res.StatusCode, len(body))
		}
		f.give(t, alice, acme)
		if res, _ := f.do(t, http.MethodGet, want.GetPicture().GetPictureUrl(), nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: the picture that was replaced: %d", form, res.StatusCode)
		}
		_, got = invoke[avatardv1.GetUserResponse](t, f, form, "GetUser", bearer("viewer-token-1"), &avatardv1.GetUserRequest{UserId: bob})
		if len(got) != 1 || got[0].GetUser().GetPicture() != nil {
			t.Errorf("%s: bob without a picture = %v", form, got)
		}
		for _, other := range []string{carol, "2"} {
			answer, _ := invoke[avatardv1.GetUserResponse](t, f, form, "GetUser", bearer("viewer-token-1"), &avatardv1.GetUserRequest{UserId: other})
			if answer.Detail.GetId() != "USER-35N8f" {
				t.Errorf("%s: %s = %v, want USER-35N8f", form, other, answer)
			}
		}
	}
}

// allUsers reads a list page by page, and returns the ids and the number of pages.
func allUsers(t *testing.T, f *fixture, form client.Form, filter avatardv1.PictureFilter) (ids []string, pages int) {
	t.Helper()
	request := &avatardv1.ListUsersRequest{Picture: filter}
	for {
		answer, got := invoke[avatardv1.ListUsersResponse](t, f, form, "ListUsers", inOrganization("admin-token-1", acme), request)
		if len(got) != 1 || len(got[0].GetUsers()) > storage.MaxPage {
			t.Fatalf("%s: page %d: %v", form, pages, answer)
		}
		for _, u := range got[0].GetUsers() {
			ids = append(ids, u.GetUserId())
			if has := u.GetPicture() != nil; filter != 0 && has != (filter == avatardv1.PictureFilter_PICTURE_FILTER_WITH) {
				t.Errorf("%s: %s with %v listed by %v", form, u.GetUserId(), u.GetPicture(), filter)
			}
		}
		pages++
		if request.PageToken = got[0].GetNextPageToken(); request.GetPageToken() == "" {
			return ids, pages
		}
	}
}

// A list has every user of the organisation once, in the order of their ids, however it falls into pages: some hold nobody although others
// follow. Users of other organisations and of other issuers are in none.
func TestListUsers(t *testing.T) {
	f := startAccounts(t, nil)
	var want, with []string
	for i := range 450 {
		id := fmt.Sprintf("2%017d", i)
		f.add(t, id, acme)
		if want = append(want, id); i%7 == 0 {
			f.give(t, id, acme)
			with = append(with, id)
		}
	}
	for i := range 1500 {
		f.add(t, fmt.Sprintf("15%016d", i), globex) // more than a page looks at
	}
	other := storage.UserKey{Issuer: "https://other.test", ID: "200000000000000001"}
	if _, _, err := f.store.AddUser(t.Context(), other, acme, storage.Origin{}); err != nil {
		t.Fatal(err)
	}
	want, with = append([]string{alice, bob}, want...), append([]string{alice}, with...)
	without := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return slices.Contains(with, id) })
	for _, form := range []client.Form{client.REST, client.GRPC, client.ConnectJSON} {
		for filter, want := range map[avatardv1.PictureFilter][]string{0: want, avatardv1.PictureFilter_PICTURE_FILTER_WITH: with,
			avatardv1.PictureFilter_PICTURE_FILTER_WITHOUT: without} {
			got, pages := allUsers(t, f, form, filter)
			if !slices.Equal(got, want) {
				t.Errorf("%s, %v: %d users in %d pages, want %d", form, filter, len(got), pages, len(want))
			}
			if pages < 4 {
				t.Errorf("%s, %v: only %d pages", form, filter, pages)
			}
		}
	}
}

// A page token is good for the list that it came from, and for no other.
func TestPageTokens(t *testing.T) {
	f := startAccounts(t, nil)
	for i := range 250 {
		f.add(t, fmt.Sprintf("2%017d", i), acme)
		f.give(t, alice, acme)
	}
	_, users := invoke[avatardv1.ListUsersResponse](t, f, client.GRPC, "ListUsers", bearer("admin-token-1"), &avatardv1.ListUsersRequest{})
	_, receipts := invoke[avatardv1.ListReceiptsResponse](t, f, client.GRPC, "ListReceipts", bearer("admin-token-1"), &avatardv1.ListReceiptsRequest{})
	ofUsers, ofReceipts := users[0].GetNextPageToken(), receipts[0].GetNextPageToken()
	if ofUsers == "" || ofReceipts == "" {
		t.Fatalf("tokens %q and %q", ofUsers, ofReceipts)
	}
	if strings.Contains(ofUsers, issuer) || strings.Contains(ofUsers, "=") {
		t.Errorf("the token %q is not opaque, or not fit for a query", ofUsers)
	}
	for title, row := range map[string]struct {
		method  protoreflect.Name
		org     string
		request proto.Message
	}{
		"of receipts":         {"ListUsers", acme, &avatardv1.ListUsersRequest{PageToken: ofReceipts}},
		"of users":            {"ListReceipts", acme, &avatardv1.ListReceiptsRequest{PageToken: ofUsers}},
		"another filter":      {"ListUsers", acme, &avatardv1.ListUsersRequest{PageToken: ofUsers, Picture: avatardv1.PictureFilter_PICTURE_FILTER_WITH}},
		"another user":        {"ListReceipts", acme, &avatardv1.ListReceiptsRequest{PageToken: ofReceipts, UserId: bob}},
		"another time":        {"ListReceipts", acme, &avatardv1.ListReceiptsRequest{PageToken: ofReceipts, Since: timestamppb.Now()}},
		"another end":         {"ListReceipts", acme, &avatardv1.ListReceiptsRequest{PageToken: ofReceipts, Until: timestamppb.Now()}},
		"another place":       {"ListUsers", globex, &avatardv1.ListUsersRequest{PageToken: ofUsers}},
		"cut":                 {"ListUsers", acme, &avatardv1.ListUsersRequest{PageToken: ofUsers[:8]}},
		"no base64":           {"ListUsers", acme, &avatardv1.ListUsersRequest{PageToken: "%"}},
		"nothing in it":       {"ListUsers", acme, &avatardv1.ListUsersRequest{PageToken: ofUsers[:10]}},
		"what no engine says": {"ListReceipts", acme, &avatardv1.ListReceiptsRequest{PageToken: listOf("/avatard.v1.ErasureService/ListReceipts", acme, "", time.Time{}.String(), time.Time{}.String()).token("no engine chose this")}},
		"no user":             {"ListUsers", acme, &avatardv1.ListUsersRequest{PageToken: listOf("/avatard.v1.UserService/ListUsers", acme, "").token("\n" + userSeparator + "\n")}},
	} {
		for _, form := range []client.Form{client.REST, client.GRPC} {
			answer, _ := invoke[avatardv1.ListUsersResponse](t, f, form, row.method, inOrganization("admin-token-1", row.org), row.request)
			if answer.Detail.GetId() != "AVATAR-p5Tk1" || answer.Code != connect.CodeInvalidArgument {
				t.Errorf("%s over %s: %v, want AVATAR-p5Tk1", title, form, answer)
			}
		}
	}
}

// An ended user stays ended: uploads are refused, erasing again changes nothing, and receipts stay.
func TestEraseUser(t *testing.T) {
	for _, form := range client.Forms() {
		f := startAccounts(t, nil)
		erase := func() (client.Answer, *avatardv1.EraseUserResponse) {
			answer, got := invoke[avatardv1.EraseUserResponse](t, f, form, "EraseUser", bearer("admin-token-1"), &avatardv1.EraseUserRequest{UserId: alice})
			if len(got) != 1 {
				t.Fatalf("%s: %v", form, answer)
			}
			return answer, got[0]
		}
		answer, first := erase()
		if first.GetReceiptId() == "" || answer.Receipt() != first.GetReceiptId() || first.GetDetails().GetResourceOwner() != acme || f.has(t, alice, acme) {
			t.Errorf("%s: %v with the receipt %q in the header", form, first, answer.Receipt())
		}
		if _, again := erase(); !proto.Equal(first, again) {
			t.Errorf("%s: again %v, want %v", form, again, first)
		}
		upload := client.Bearer("alice-token-1")
		for title, got := range map[string]client.Answer{
			"own upload":        f.client.UploadOwn(t.Context(), upload, picture.Sample(1, 2000)),
			"upload by another": f.client.Upload(t.Context(), client.Bearer("admin-token-1"), alice, picture.Sample(1, 2000)),
		} {
			if got.Status != http.StatusBadRequest || got.Code != connect.CodeFailedPrecondition || got.Detail.GetId() != "AVATAR-u5Nd9" {
				t.Errorf("%s after %s: %v, want AVATAR-u5Nd9", title, form, got)
			}
		}
		gone, _ := invoke[avatardv1.GetUserResponse](t, f, form, "GetUser", bearer("admin-token-1"), &avatardv1.GetUserRequest{UserId: alice})
		if gone.Detail.GetId() != "USER-35N8f" {
			t.Errorf("%s: GetUser = %v", form, gone)
		}
		_, receipt := invoke[avatardv1.GetReceiptResponse](t, f, form, "GetReceipt", bearer("viewer-token-1"), &avatardv1.GetReceiptRequest{ReceiptId: first.GetReceiptId()})
		if len(receipt) != 1 || receipt[0].GetReceipt().GetUserId() != alice || receipt[0].GetReceipt().GetCallerId() != "900000000000000001" {
			t.Errorf("%s: the receipt is %v", form, receipt)
		}
	}
}
