package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	"example.org/avatard/gen/zitadel/management/v1/managementv1connect"
)

// picky answers one user as constant does and refuses everybody else.
type picky struct {
	managementv1connect.UnimplementedManagementServiceHandler
	want string
}

func (p picky) RemoveHumanAvatar(ctx context.Context, req *managementv1.RemoveHumanAvatarRequest) (*managementv1.RemoveHumanAvatarResponse, error) {
	if req.GetUserId() != p.want {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such user"))
	}
	return constant{}.RemoveHumanAvatar(ctx, req)
}

// connectTo returns a caller that is connected to a handler.
func connectTo(t *testing.T, f form, handler http.Handler, want string) caller {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	c, err := dial(t.Context(), command{Form: f, Address: srv.Listener.Addr().String(), Token: "token", Want: want})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// The callers name the right user, notice when they are refused, and can go on after it.
func TestCallers(t *testing.T) {
	for _, f := range []form{formConnectJSON, formConnectProto, formGRPC, formGRPCWeb} {
		t.Run(string(f), func(t *testing.T) {
			_, handler := managementv1connect.NewManagementServiceHandler(picky{want: userID(12_345)})
			c := connectTo(t, f, handler, devidp.OrgAcme)
			for range 2 {
				if err := c.call(userID(12_345)); err != nil {
					t.Errorf("call = %v", err)
				}
				if err := c.call(userID(12_346)); err == nil {
					t.Error("a refused call gave no error")
				}
			}
		})
	}
}

// The bare handler does not speak REST, so this looks at the request.
func TestCallerREST(t *testing.T) {
	var got []string
	c := connectTo(t, formREST, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		status := http.StatusNotFound
		if strings.Contains(r.URL.Path, userID(7)) {
			status = http.StatusOK
		}
		http.Error(w, devidp.OrgAcme, status)
	}), devidp.OrgAcme)
	if err := c.call(userID(7)); err != nil {
		t.Errorf("call = %v", err)
	}
	if err := c.call(userID(8)); err == nil {
		t.Error("a call answered with 404 gave no error")
	}
	want := "DELETE /management/v1/users/" + userID(7) + "/avatar Bearer token"
	if len(got) != 2 || got[0] != want {
		t.Errorf("requests %q, want %q first", got, want)
	}
}

// The window of an HTTP/2 connection is 64 KiB. A client that does not give them back is stuck after a thousand calls.
func TestCallerHTTP2GoesOn(t *testing.T) {
	_, handler := managementv1connect.NewManagementServiceHandler(constant{})
	c := connectTo(t, formGRPC, handler, devidp.OrgAcme)
	for i := range 3000 {
		if err := c.call(userID(i)); err != nil {
			t.Fatalf("call %d = %v", i, err)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		status       int
		body         string
		fails        bool
	}{
		{name: "with a length", answer: "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", status: 200, body: "abc"},
		{name: "without a body", answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		{name: "in chunks", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n",
			status: 200, body: "abc0123456789"},
		{name: "not HTTP", answer: "SSH-2.0-something\r\n", fails: true},
		{name: "cut off", answer: "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc", fails: true},
		{name: "a chunk too long", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", fails: true},
		{name: "far too long", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := net.Pipe()
			c := newHTTP1Caller(near, formREST, "", "")
			go func() {
				_, _ = far.Write([]byte(tt.answer))
				far.Close()
			}()
			status, err := c.readAnswer()
			if tt.fails {
				if err == nil {
					t.Errorf("readAnswer(%q) gave no error", tt.answer)
				}
				return
			}
			if err != nil || status != tt.status || string(c.body) != tt.body {
				t.Errorf("readAnswer(%q) = %d, %q, %v, want %d, %q", tt.answer, status, c.body, err, tt.status, tt.body)
			}
		})
	}
}
