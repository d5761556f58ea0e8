package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
)

// When the address of the issuer has changed, a start tells of it, and one command brings everybody back: beside the running server
// or without one.
func TestIssuerMove(t *testing.T) {
	const old, other = "https://old.example", "https://other.example"
	for _, beside := range []bool{true, false} {
		p := newProvider(t, nil)
		dir := filepath.Join(t.TempDir(), "data")
		registerWithPicture(t, dir, old, devidp.UserAlice, devidp.UserBob)
		move := func(code int, says string, args ...string) {
			t.Helper()
			out, err := runCommand(t, append([]string{"issuer", "move"}, append(args, "--data", dir)...)...)
			var told strings.Builder
			if got := cli.Report(&told, err); got != code || !strings.Contains(out+told.String(), says) {
				t.Errorf("beside a server %v: issuer move %v = %d, %s%s, want %d and %q", beside, args, got, out, told.String(), code, says)
			}
		}
		var srv *running
		var url string
		if beside {
			srv, url = startServe(t, p.Settings(), dir)
			if log := srv.out.String(); !strings.Contains(log, "on record with other issuers only") || !strings.Contains(log, "on_record="+old) {
				t.Errorf("the start does not tell of the other issuer:\n%s", log)
			}
			status, _ := call(t, http.MethodDelete, url+"/auth/v1/users/me/avatar", p.Tokens["TOKEN_ALICE"])
			if status != http.StatusNotFound {
				t.Errorf("before the move: %d, want 404", status)
			}
			move(cli.ExitFailed, "the running server has this issuer", p.Issuer, other)
		}
		move(cli.ExitUsage, "usage: avatard issuer move OLD NEW", old)
		move(cli.ExitUsage, "plain http", old, "http://id.example")
		move(cli.ExitUsage, "both issuers", old, old)
		move(cli.ExitFailed, "nobody of it is registered", other, p.Issuer)
		move(cli.ExitOK, "users of "+old+" moved to "+p.Issuer, old, p.Issuer)
		move(cli.ExitOK, "users of "+old+" already there to "+p.Issuer, old, p.Issuer)
		if !beside {
			move(cli.ExitOK, "moved to "+other, p.Issuer, other)
			move(cli.ExitOK, "moved to "+p.Issuer, other, p.Issuer)
			srv, url = startServe(t, p.Settings(), dir)
			if strings.Contains(srv.out.String(), "on record with other issuers") {
				t.Errorf("the start tells of another issuer:\n%s", srv.out)
			}
		}
		wantStatus(t, http.StatusOK, http.MethodGet, url+"/assets/v1/users/me/avatar", p.Tokens["TOKEN_ALICE"])
		wantStatus(t, http.StatusOK, http.MethodDelete, url+"/management/v1/users/"+devidp.UserAlice+"/avatar", p.Tokens["TOKEN_MANAGER"])
		srv.stop() // which writes the rest of the log
		if beside && !strings.Contains(srv.out.String(), "issuer="+old+" to="+p.Issuer+" changed=true") {
			t.Errorf("the log does not tell of the move:\n%s", srv.out)
		}
	}
}

// Users of both issuers are two people as far as anybody can tell.
func TestIssuerMoveIntoOneInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, "https://old.example", devidp.UserAlice)
	registerWithPicture(t, dir, "https://new.example", devidp.UserBob)
	wantFailure(t, "registered already", "issuer", "move", "https://old.example", "https://new.example", "--data", dir)
}
