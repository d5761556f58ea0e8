package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wanted is what an answer has to be. The zero value is a success.
type wanted struct {
	code   int
	id     string // of the ErrorDetail; "" = there is none
	status int    // of HTTP on REST and Connect; 0 = that of the code
	allow  string // of a 405
	owner  string // resourceOwner of a success; "" = whatever it is
	says   string // part of the message
}

// statusOf is the status of HTTP that REST and Connect give for a code.
var statusOf = map[int]int{0: 200, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 12: 404, 13: 500, 14: 503, 16: 401}

// challengeOf are the challenges of RFC 6750 section 3: the error is named only when a token was looked at.
func challengeOf(id string) *regexp.Regexp {
	if id == "AUTH-7fs1e" {
		return regexp.MustCompile(`^Bearer realm="[^"\\]+", error="invalid_token"$`)
	}
	return regexp.MustCompile(`^Bearer realm="[^"\\]+"$`)
}

var idInMessage = regexp.MustCompile(`\([A-Z]+-[0-9A-Za-z]{5}\)`)

// check compares a verdict with what the contract wants of every answer, and of this one.
func (f wireForm) check(t *testing.T, v verdict, want wanted) {
	t.Helper()
	v.checkFields(t)
	if v.code != want.code || v.id != want.id {
		t.Errorf("code %d, id %q, message %q; want code %d, id %q", v.code, v.id, v.message, want.code, want.id)
		return
	}
	status := want.status
	switch {
	case f.framed():
		status = 200
	case status == 0:
		status = statusOf[want.code]
	}
	if v.status != status {
		t.Errorf("status of HTTP is %d, want %d", v.status, status)
	}
	f.checkMedia(t, v)
	if v.code == 0 {
		v.checkSuccess(t, want.owner)
		return
	}
	f.checkRefusal(t, v, want)
}

// checkFields checks what holds for every answer whatever it says.
func (v verdict) checkFields(t *testing.T) {
	t.Helper()
	if v.header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
	if v.status >= 300 && v.status < 400 {
		t.Errorf("status of HTTP is %d, a redirect to %q", v.status, v.header.Get("Location"))
	}
	for name := range v.fields {
		if name == "Set-Cookie" || name == "Location" || strings.HasPrefix(name, "Grpcgateway-") || strings.HasPrefix(name, "Grpc-Metadata-") {
			t.Errorf("the answer has the header %s", name)
		}
	}
	if (v.fields.Get("Retry-After") != "") != (v.code == 14) {
		t.Errorf("Retry-After is %q with code %d", v.fields.Get("Retry-After"), v.code)
	}
}

// checkMedia checks the type of the answer's body.
func (f wireForm) checkMedia(t *testing.T, v verdict) {
	t.Helper()
	want := f.media // the gRPC family and successes of Connect answer as they were asked
	if f.rest() || !f.framed() && v.code != 0 {
		want = "application/json"
	}
	if got := v.header.Get("Content-Type"); got != want {
		t.Errorf("Content-Type is %q, want %q", got, want)
	}
	if f.family == "grpc" && v.header.Get("Content-Length") == "0" {
		t.Error("Content-Length is 0, for which proxies drop the trailers")
	}
	if cache := v.header.Get("Cache-Control"); f.rest() && cache != "no-store" {
		t.Errorf("Cache-Control is %q, want no-store", cache)
	}
}

func (v verdict) checkSuccess(t *testing.T, owner string) {
	t.Helper()
	if owner != "" && v.details.GetResourceOwner() != owner {
		t.Errorf("resourceOwner is %q, want %q", v.details.GetResourceOwner(), owner)
	}
	if v.details.GetSequence() == 0 || v.details.GetChangeDate().AsTime().Before(v.details.GetCreationDate().AsTime()) {
		t.Errorf("details are %v", v.details)
	}
	if v.fields.Get("Www-Authenticate") != "" || v.fields.Get("Allow") != "" {
		t.Errorf("a success with the headers %v", v.fields)
	}
}

func (f wireForm) checkRefusal(t *testing.T, v verdict, want wanted) {
	t.Helper()
	if !strings.Contains(v.message, want.says) {
		t.Errorf("message is %q, want %q in it", v.message, want.says)
	}
	switch {
	case v.message == "":
		t.Error("the error has no message")
	case want.id != "" && (v.message != v.plain+" ("+want.id+")" || v.plain == ""):
		t.Errorf("message is %q, want that of the detail, %q, and the id", v.message, v.plain)
	case want.id == "" && idInMessage.MatchString(v.message):
		t.Errorf("message %q names an id without a detail", v.message)
	}
	wantTypes := []string{}
	if want.id != "" {
		wantTypes = []string{errorDetail}
	}
	if len(v.types) > 0 && v.code == 3 { // rules of the API name themselves
		wantTypes = []string{"buf.validate.Violations"}
	}
	if !slices.Equal(v.types, wantTypes) && len(v.types)+len(wantTypes) > 0 {
		t.Errorf("details are of the types %q, want %q", v.types, wantTypes)
	}
	challenges := v.fields.Values("Www-Authenticate")
	proper := len(challenges) == 1 && challengeOf(want.id).MatchString(challenges[0])
	if want.code == 16 && !proper && (f.family != "grpc" || len(challenges) > 0) {
		t.Errorf("WWW-Authenticate is %q", challenges)
	}
	if want.code != 16 && len(challenges) > 0 {
		t.Errorf("WWW-Authenticate is %q with code %d", challenges, v.code)
	}
	if got := v.header.Get("Allow"); got != want.allow || want.status == http.StatusMethodNotAllowed && got == "" {
		t.Errorf("Allow is %q, want %q", got, want.allow)
	}
}
