package admin

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

	"example.org/avatard/storage"
)

// ErrNoServer: no server listens on the admin socket of a data directory.
var ErrNoServer = errors.New("no server runs on this data directory")

// errHungUp: the server took the connection and gave no answer over it. Errors that wrap it name the cause.
var errHungUp = errors.New("the running server hung up")

// Client calls the server that runs on a data directory. The error of every call is ErrNoServer when there is none.
type Client struct{ dir string }

// NewClient returns a client of the server that runs on a data directory, if one does.
func NewClient(dir string) Client { return Client{dir} }

// change sends a request that changes something, and reports whether it did.
func (c Client) change(ctx context.Context, path string, req Request) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var res Response
	err = c.call(ctx, path, req, &res, maxBytes)
	if errors.Is(err, errHungUp) {
		// The server was just being killed, so the next attempt finds none. Asking twice for the same does no harm.
		err = c.call(ctx, path, req, &res, maxBytes)
	}
	return res.Created, err
}

// AddOrganization registers an organisation.
func (c Client) AddOrganization(ctx context.Context, org string, a Admission) (created bool, err error) {
	return c.change(ctx, "/organisations", Request{Organization: org, Admission: a})
}

// AddUser registers a user with the issuer of the server.
func (c Client) AddUser(ctx context.Context, req Request) (created bool, err error) {
	return c.change(ctx, "/users", req)
}

// MoveUser puts a user of the server's issuer into another organisation.
func (c Client) MoveUser(ctx context.Context, req Request) (moved bool, err error) {
	return c.change(ctx, "/moves", req)
}

// MoveIssuer gives the users of one issuer to another.
func (c Client) MoveIssuer(ctx context.Context, from, to string) (moved bool, err error) {
	return c.change(ctx, "/issuers", Request{Issuer: from, To: to})
}

// List returns one page of users or organisations.
func (c Client) List(ctx context.Context, req ListRequest) (reply ListReply, err error) {
	return reply, c.call(ctx, "/lists", req, &reply, maxListBytes)
}

// RemoveUser ends a user, or says why nobody was removed.
func (c Client) RemoveUser(ctx context.Context, req UserRemoval) (reply UserRemovalReply, err error) {
	return reply, c.call(ctx, "/erasures/user", req, &reply, maxBytes)
}

// Receipts returns one page of receipts.
func (c Client) Receipts(ctx context.Context, req ReceiptsRequest) (reply ReceiptsReply, err error) {
	return reply, c.call(ctx, "/receipts", req, &reply, maxListBytes)
}

// Receipt returns one receipt.
func (c Client) Receipt(ctx context.Context, req ReceiptRequest) (reply ReceiptReply, err error) {
	return reply, c.call(ctx, "/receipts/one", req, &reply, maxListBytes)
}

// ReceiptHead returns the head of the log of receipts.
func (c Client) ReceiptHead(ctx context.Context, req HeadRequest) (reply ReceiptHead, err error) {
	return reply, c.call(ctx, "/receipts/head", req, &reply, maxListBytes)
}

// ReceiptProof returns the proof that a receipt is in the log.
func (c Client) ReceiptProof(ctx context.Context, req ProofRequest) (reply ProofReply, err error) {
	return reply, c.call(ctx, "/receipts/proof", req, &reply, maxListBytes)
}

// Audit returns one page of the audit trail.
func (c Client) Audit(ctx context.Context, req AuditRequest) (reply AuditReply, err error) {
	return reply, c.call(ctx, "/audit", req, &reply, maxListBytes)
}

// call sends one request and reads its answer, of a size up to a limit, into res.
func (c Client) call(ctx context.Context, path string, req, res any, limit int64) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	resp, err := post(ctx, conn, path, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(res) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("asking the running server: %w", ctx.Err())
	}
	return otherVersion(resp)
}

// post sends one request over a connection and returns the answer when its status is 200. Closing its body closes the connection, and
// so does an error. The caller has connected before, because only a failure to connect shows that no server has the store open.
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
			return nil, errors.New("it took one connection only")
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
		return nil, fmt.Errorf("%w: %w", errHungUp, err)
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	}
	defer resp.Body.Close()
	var failed Response
	if json.NewDecoder(io.LimitReader(resp.Body, maxBytes)).Decode(&failed) != nil || failed.Error == "" {
		return nil, otherVersion(resp)
	}
	return nil, errors.New(failed.Error)
}

// otherVersion is the error of an answer that no server of this version gives. A path that the server does not know came with a later
// version than its own.
func otherVersion(resp *http.Response) error {
	if resp.StatusCode == http.StatusNotFound {
		return errors.New("the running server is of an earlier version, which does not know this command; restart it with this program, or run the command when no server runs")
	}
	return fmt.Errorf("the running server answered %s, which is no answer to this command; is it of another version?", resp.Status)
}

// dial connects to the socket.
func (c Client) dial(ctx context.Context) (net.Conn, error) {
	if c.dir == "" { // of a place that any number of processes may have open
		return nil, ErrNoServer
	}
	file := filepath.Join(c.dir, SocketName)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // the store says so to a caller without permission
		return nil, ErrNoServer
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 { // what listens behind it may serve other data
		return nil, fmt.Errorf("%w: %s; remove it", storage.ErrLink, file)
	}
	path, done, err := socketPath(c.dir)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoServer // left by a server that was killed, or gone this moment
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the running server: %w", err)
	}
	return conn, nil
}
