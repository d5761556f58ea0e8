package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"avatard/storage/embedded"
)

// errNoServer: no server listens on the admin socket of a data directory.
var errNoServer = errors.New("no server runs on this data directory")

// errHungUp: the server took the connection and closed it without an answer.
var errHungUp = errors.New("the running server hung up")

// adminClient calls the server that runs on a data directory. The error of every call is errNoServer when there is none.
type adminClient struct{ dir string }

// newAdminClient returns a client of the server that runs on a data directory, if one does.
func newAdminClient(dir string) adminClient { return adminClient{dir} }

// change sends a request that changes something, and reports whether it did.
func (c adminClient) change(ctx context.Context, path string, req adminRequest) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	var res adminResponse
	err = c.call(ctx, path, req, &res, maxAdminBytes)
	if errors.Is(err, errHungUp) {
		// The server was just being killed, so the next look finds none. Asking twice for the same is no harm.
		err = c.call(ctx, path, req, &res, maxAdminBytes)
	}
	return res.Created, err
}

// addOrganization registers an organisation, see addOrganization.
func (c adminClient) addOrganization(ctx context.Context, org string) (created bool, err error) {
	return c.change(ctx, "/organisations", adminRequest{Organization: org})
}

// addUser registers a user with the issuer of the server, see addUser.
func (c adminClient) addUser(ctx context.Context, req adminRequest) (created bool, err error) {
	return c.change(ctx, "/users", req)
}

// moveUser puts a user of the server's issuer into another organisation, see moveUser.
func (c adminClient) moveUser(ctx context.Context, req adminRequest) (moved bool, err error) {
	return c.change(ctx, "/moves", req)
}

// moveIssuer gives the users of one issuer to another, see moveIssuer.
func (c adminClient) moveIssuer(ctx context.Context, from, to string) (moved bool, err error) {
	return c.change(ctx, "/issuers", adminRequest{Issuer: from, To: to})
}

// list returns one page of users or organisations.
func (c adminClient) list(ctx context.Context, req listRequest) (reply listReply, err error) {
	return reply, c.call(ctx, "/lists", req, &reply, maxListBytes)
}

// removeUser removes a user, see removeUser.
func (c adminClient) removeUser(ctx context.Context, req userRemoval) (reply userRemovalReply, err error) {
	return reply, c.call(ctx, "/removals", req, &reply, maxAdminBytes)
}

// removeOrganization removes an organisation without users, see removeOrganization.
func (c adminClient) removeOrganization(ctx context.Context, req orgRemoval) (reply adminResponse, err error) {
	return reply, c.call(ctx, "/removals/org", req, &reply, maxAdminBytes)
}

// call sends one request and reads its answer, of a size up to a limit, into res.
func (c adminClient) call(ctx context.Context, path string, req, res any, limit int64) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	resp, err := post(ctx, conn, path, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(res) != nil {
		return otherVersion(resp)
	}
	return nil
}

// post sends one request over a connection and returns the answer once it begins well; its body is to be closed, and the
// connection with it. The connection is there already: that there is no server must show before anything is sent, and only then
// may the store be opened instead.
func post(ctx context.Context, conn net.Conn, path string, req any) (resp *http.Response, err error) {
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	dialled := make(chan net.Conn, 1)
	dialled <- conn
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		select {
		case conn := <-dialled:
			return conn, nil
		default:
			return nil, errHungUp
		}
	}}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://avatard"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err = tr.RoundTrip(httpReq)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("asking the running server: %w", ctx.Err())
	case err != nil:
		return nil, errHungUp // whatever the transport makes of it
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	}
	defer resp.Body.Close()
	var failed adminResponse
	if json.NewDecoder(io.LimitReader(resp.Body, maxAdminBytes)).Decode(&failed) != nil || failed.Error == "" {
		return nil, otherVersion(resp)
	}
	return nil, errors.New(failed.Error)
}

func otherVersion(resp *http.Response) error {
	return fmt.Errorf("the running server answered %s, which is no answer to this command; is it of another version?", resp.Status)
}

// dial connects to the socket.
func (c adminClient) dial(ctx context.Context) (net.Conn, error) {
	file := filepath.Join(c.dir, adminSocket)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // who may not look will be told by the store
		return nil, errNoServer
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 { // the data would be in other hands than what is told about it
		return nil, fmt.Errorf("%w: %s; remove it", embedded.ErrLink, file)
	}
	path, done, err := socketPath(c.dir)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, errNoServer // left by a server that was killed, or gone this moment
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the running server: %w", err)
	}
	return conn, nil
}
