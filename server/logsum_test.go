package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/authz"
)

// quietServer returns a server without a connection, and its log.
func quietServer(t *testing.T) (*Server, *lockedBuffer) {
	t.Helper()
	log := new(lockedBuffer)
	s, err := New(Config{Store: &shelfStore{pictures: map[string][]byte{alice: []byte("picture")}}, Issuer: issuer,
		Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true,
		Logger:        slog.New(slog.NewTextHandler(log, nil)),
		ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Address") }})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// call serves one request without a connection.
func (s *Server) call(method, path string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	return rec
}

// A flood of calls without a token, and of calls that are refused, makes a bounded number of lines, with sums of the others. Calls that are
// let in have their lines all the same.
func TestFloodsAreSummedInTheLog(t *testing.T) {
	const flood = 5000
	own := "/assets/v1/users/me/avatar"
	for title, row := range map[string]struct {
		path    string
		headers []string
		code    string
	}{
		"no token":        {own, nil, "unauthenticated"},
		"invented tokens": {own, bearer("x"), "unauthenticated AUTH-7fs1e"},
		"public pictures": {"/assets/v1/" + acme + "/users/" + alice + "/avatar", nil, "ok"},
		"no picture":      {"/assets/v1/" + acme + "/users/" + bob + "/avatar", nil, "not_found"},
		"nothing of ours": {"/nothing", nil, "not_found"},
		"health":          {"/healthz", nil, "ok"},
		"refused, known":  {own, bearer("homeless-token-1"), "not_found AUTHZ-cdgFk"},
		"bad, known":      {own, bearer("alice-token-1", "Grpc-Timeout", "x"), "invalid_argument"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, log := quietServer(t)
			for range flood {
				s.call(http.MethodGet, row.path, append(row.headers, "X-Address", "192.0.2.1")...)
			}
			for range 3 {
				s.call(http.MethodGet, own, bearer("alice-token-1", "X-Address", "192.0.2.1")...)
			}
			time.Sleep(logPause)
			synctest.Wait()
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			sum := lines[len(lines)-1]
			want := fmt.Sprintf(`address=192.0.2.1 calls=%d codes="%s=%d"`, flood-maxLinesOfAddress, row.code, flood-maxLinesOfAddress)
			if len(lines) != maxLinesOfAddress+3+1 || !strings.Contains(sum, want) {
				t.Errorf("%s: %d lines, the last %s\nwant %d lines and %s", title, len(lines), sum, maxLinesOfAddress+3+1, want)
			}
			if n := strings.Count(log.String(), "caller="+alice); n < 3 {
				t.Errorf("%s: %d lines of calls that were let in, want 3", title, n)
			}
			s.call(http.MethodGet, row.path, append(row.headers, "X-Address", "192.0.2.1")...)
			if again := log.String(); strings.Count(again, "msg=call ") != maxLinesOfAddress+3+1 {
				t.Errorf("%s: the next second does not begin with a line", title)
			}
			time.Sleep(logPause)
		})
	}
}

// The bound holds for any number of addresses.
func TestFloodsFromManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := quietServer(t)
		const addresses, each = 3 * maxSummed, 3
		for range each {
			for i := range addresses {
				s.call(http.MethodGet, "/nothing", "X-Address", fmt.Sprintf("2001:db8:%x::1", i))
			}
		}
		s.logSums.mu.Lock()
		if n := len(s.logSums.addresses); n > maxSummed {
			t.Errorf("%d addresses are remembered", n)
		}
		s.logSums.mu.Unlock()
		time.Sleep(logPause)
		synctest.Wait()
		lines := strings.Count(log.String(), "msg=call ")
		sums := strings.Count(log.String(), "more calls")
		told := 0
		for line := range strings.Lines(log.String()) {
			if _, rest, ok := strings.Cut(line, " calls="); ok {
				var n int
				_, _ = fmt.Sscan(rest, &n)
				told += n
			}
		}
		if lines > maxLines || sums > maxSums+1 || lines+told != addresses*each {
			t.Errorf("%d lines of calls and %d sums about %d more, of %d calls", lines, sums, told, addresses*each)
		}
		if n := s.logSums.summed(); int(n) != told {
			t.Errorf("%d are counted", n)
		}
	})
}

// An answer with an internal error names the id of the request, so each has its lines up to a bound, whatever else its address does.
func TestInternalErrorsHaveLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := quietServer(t)
		for range 10 * maxLinesOfAddress {
			s.hasLines(&call{address: "192.0.2.1"}, "not_found")
		}
		lines := 0
		for range 10 * maxLines {
			if s.hasLines(&call{address: "192.0.2.1"}, "internal") {
				lines++
			}
		}
		if lines != maxLines {
			t.Errorf("%d lines, want %d", lines, maxLines)
		}
		time.Sleep(logPause)
		synctest.Wait()
		if !s.hasLines(&call{}, "internal") {
			t.Error("no line in the next second")
		}
		time.Sleep(logPause)
	})
}

// The log and the audit trail name a call by our id, which no caller chooses, and by the caller's; the answer by the caller's.
func TestRequestIDs(t *testing.T) {
	s, log := quietServer(t)
	var origins []string
	s.refusals.record = nil
	for range 2 {
		rec := s.call(http.MethodDelete, "/management/v1/users/1/avatar", bearer("viewer-token-1", "X-Request-Id", "same")...)
		if got := rec.Header().Get("X-Request-Id"); got != "same" {
			t.Errorf("X-Request-Id = %q, want the caller's", got)
		}
		for _, g := range s.refusals.kinds {
			origins = append(origins, g.first.By.RequestID)
		}
		s.refusals.kinds = nil
	}
	s.refusals.flush(0)
	s.logSums.flush()
	ids := make(map[string]bool)
	for line := range strings.Lines(log.String()) {
		_, rest, _ := strings.Cut(line, "request=")
		id, _, _ := strings.Cut(rest, " ")
		ids[id] = true
		if !strings.Contains(line, "caller_request=same") {
			t.Errorf("no caller_request in %s", line)
		}
	}
	if len(ids) != 2 || ids["same"] || ids[""] {
		t.Errorf("two calls with one id of their caller's have the ids %v in the log", ids)
	}
	for _, origin := range origins {
		given, ours, _ := strings.Cut(origin, "/")
		if given != "same" || !ids[ours] {
			t.Errorf("on record is %q, want the caller's id and ours", origin)
		}
	}
	if len(origins) != 2 {
		t.Errorf("%d refusals", len(origins))
	}
	if !strings.Contains(log.String(), "permission_denied") {
		t.Error("no line says why")
	}
}
