//go:build unix

package e2e

import (
	"strings"
	"testing"
)

// pageWant is what a page has to see of an answer.
type pageWant struct {
	status  int
	title   string // of the row, for people
	body    string // part of it
	headers []string
}

// pictureLife is a picture from upload to removal, with what goes wrong on the way, in the hands of its owner's page.
func pictureLife(env map[string]string) (pageRequests, []pageWant) {
	const mine = "/assets/v1/users/me/avatar"
	public := "/assets/v1/" + env["ORG_ACME"] + "/users/" + env["USER_ALICE"] + "/avatar"
	alice := map[string]string{"Authorization": "Bearer " + env["TOKEN_ALICE"]}
	always := []string{"x-request-id"}
	plan := pageRequests{URL: env["AVATARD_URL"]}
	var wants []pageWant
	for _, row := range []struct {
		request pageRequest
		want    pageWant
	}{
		{pageRequest{Method: "POST", Path: mine, Headers: alice, Image: 48},
			pageWant{200, "upload", `"sequence":"3"`, append(always, "x-avatard-receipt")}},
		{pageRequest{Method: "GET", Path: mine, Headers: alice},
			pageWant{200, "read one's own", "48 x 48", append(always, "etag")}},
		{pageRequest{Method: "GET", Path: public},
			pageWant{200, "read", "48 x 48", append(always, "etag")}},
		{pageRequest{Method: "POST", Path: mine, Headers: alice, Garbage: 2_000},
			pageWant{400, "no picture", "PNG", always}},
		{pageRequest{Method: "POST", Path: mine, Headers: alice, Garbage: 6_000_000},
			pageWant{413, "far too much", "larger than 524288 bytes", always}},
		{pageRequest{Method: "POST", Path: mine, Garbage: 600_000},
			pageWant{401, "a lot, and no token", "no bearer token", append(always, "www-authenticate")}},
		{pageRequest{Method: "DELETE", Path: "/auth/v1/users/me/avatar", Headers: alice},
			pageWant{200, "remove", `"sequence":"4"`, append(always, "x-avatard-receipt")}},
		{pageRequest{Method: "GET", Path: public},
			pageWant{404, "read what is gone", "no picture", always}},
		{pageRequest{Method: "GET", Path: "/nothing/here", Headers: map[string]string{"X-Requested-With": "XMLHttpRequest", "Baggage": "a=b",
			"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate": "a=b"}},
			pageWant{404, "no route, with the headers of libraries", "no such route", always}},
		{pageRequest{Method: "GET", Path: "/nothing/here"},
			pageWant{404, "no route", "no such route", always}},
	} {
		row.request.Step = row.want.title
		plan.Requests, wants = append(plan.Requests, row.request), append(wants, row.want)
	}
	return plan, wants
}

// simpleRequests are those that a browser sends without asking the server first (Fetch standard, "simple").
func simpleRequests(env map[string]string) (pageRequests, []pageWant) {
	return pageRequests{URL: env["AVATARD_URL"], Requests: []pageRequest{
			{Step: "public picture", Method: "GET", Path: "/assets/v1/" + env["ORG_ACME"] + "/users/" + env["USER_ALICE"] + "/avatar"},
			{Step: "health", Method: "GET", Path: "/healthz"},
			{Step: "no token", Method: "POST", Path: "/zitadel.auth.v1.AuthService/RemoveMyAvatar"},
		}}, []pageWant{
			{200, "public picture", " x ", []string{"etag"}},
			{200, "health", "", nil},
			{401, "no token", "unauthenticated", []string{"www-authenticate"}},
		}
}

// refusedForNow is a call to a server that cannot reach its identity provider.
func refusedForNow(url string) (pageRequests, []pageWant) {
	return pageRequests{URL: url, Requests: []pageRequest{{Step: "provider down", Method: "DELETE",
			Path: "/auth/v1/users/me/avatar", Headers: map[string]string{"Authorization": "Bearer a-token", "X-App-Version": "1.2", "Sentry-Trace": "a-b"}}}},
		[]pageWant{{503, "provider down", "try again", []string{"retry-after", "x-request-id"}}}
}

// checkPageAnswers compares what a page sees with what it has to.
func checkPageAnswers(t *testing.T, wants []pageWant, answers []pageAnswer) {
	t.Helper()
	if len(answers) != len(wants) {
		t.Fatalf("the page has %d answers, want %d: %+v", len(answers), len(wants), answers)
	}
	for i, want := range wants {
		got := answers[i]
		if got.Failed != "" || got.Status != want.status || !strings.Contains(got.Body, want.body) {
			t.Errorf("%s: the page sees %+v, want %d and %q", want.title, got, want.status, want.body)
		}
		for _, name := range want.headers {
			if got.Headers[name] == "" {
				t.Errorf("%s: the page sees %v, want %s in it", want.title, got.Headers, name)
			}
		}
	}
}
