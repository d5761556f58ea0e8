package site

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	authv1 "avatard/gen/zitadel/auth/v1"
	"avatard/gen/zitadel/auth/v1/authv1connect"
	managementv1 "avatard/gen/zitadel/management/v1"
	"avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "avatard/gen/zitadel/v1"
)

// callLimit is after how long a caller gives up.
const callLimit = 20 * time.Second

// Answer is what a caller of a change was told.
type Answer struct {
	// Err is set when no whole answer came: the change may be done or not.
	Err error
	// Code is 0 when the change was acknowledged.
	Code connect.Code
	// Message is that of an error.
	Message string
	// Receipt is X-Avatard-Receipt, "" when there was none.
	Receipt string
	// Sequence is that of the details, 0 when they did not arrive.
	Sequence uint64
}

// Acknowledged reports whether the answer says that the change is done.
func (a Answer) Acknowledged() bool { return a.Err == nil && a.Code == 0 }

func (a Answer) String() string {
	switch {
	case a.Err != nil:
		return "no answer: " + a.Err.Error()
	case a.Code != 0:
		return fmt.Sprintf("%v: %s", a.Code, a.Message)
	}
	return "done, receipt " + a.Receipt
}

// Read is what a reader was told.
type Read struct {
	// Err is set when no whole answer came.
	Err error
	// Status is 200, 304, 404 or another one.
	Status int
	// Data are the bytes of the picture after 200.
	Data []byte
	// ETag names the picture; its generation is the part before the first "-".
	ETag string
}

// Generation returns the generation that the entity tag names, as receipts do; "" when there is none.
func (r Read) Generation() string {
	const length = 32
	if len(r.ETag) < 1+length {
		return ""
	}
	return r.ETag[1 : 1+length]
}

// Client calls one server. Its methods may be called concurrently.
type Client struct {
	url          string
	http1, http2 *http.Client
	turns        atomic.Uint64
	management   map[Form]managementv1connect.ManagementServiceClient
	auth         map[Form]authv1connect.AuthServiceClient
}

// NewClient returns a client of the server at url.
func NewClient(url string) *Client {
	c := &Client{url: url,
		http1:      &http.Client{Transport: transport(false), Timeout: callLimit},
		http2:      &http.Client{Transport: transport(true), Timeout: callLimit},
		management: make(map[Form]managementv1connect.ManagementServiceClient),
		auth:       make(map[Form]authv1connect.AuthServiceClient),
	}
	for _, form := range Forms() {
		hc := *c.http1
		if form.http2() {
			hc = *c.http2
		}
		if form == GRPCWebText {
			hc.Transport = textTransport{hc.Transport}
		}
		c.management[form] = managementv1connect.NewManagementServiceClient(&hc, url, form.options()...)
		c.auth[form] = authv1connect.NewAuthServiceClient(&hc, url, form.options()...)
	}
	return c
}

func transport(http2 bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: 256, DisableCompression: true}
}

// Close drops the connections.
func (c *Client) Close() {
	c.http1.CloseIdleConnections()
	c.http2.CloseIdleConnections()
}

// plain returns a client for REST: HTTP/1.1 and HTTP/2 take turns.
func (c *Client) plain() *http.Client {
	if c.turns.Add(1)%2 == 0 {
		return c.http2
	}
	return c.http1
}

// Remove deletes the picture of a user.
func (c *Client) Remove(ctx context.Context, form Form, token, user string) Answer {
	if form == REST {
		return c.change(ctx, http.MethodDelete, "/management/v1/users/"+user+"/avatar", token, "", nil)
	}
	return rpc(ctx, token, func(ctx context.Context) (*zitadelv1.ObjectDetails, error) {
		res, err := c.management[form].RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: user})
		return res.GetDetails(), err
	})
}

// RemoveOwn deletes the picture of the token's user.
func (c *Client) RemoveOwn(ctx context.Context, form Form, token string) Answer {
	if form == REST {
		return c.change(ctx, http.MethodDelete, "/auth/v1/users/me/avatar", token, "", nil)
	}
	return rpc(ctx, token, func(ctx context.Context) (*zitadelv1.ObjectDetails, error) {
		res, err := c.auth[form].RemoveMyAvatar(ctx, &authv1.RemoveMyAvatarRequest{})
		return res.GetDetails(), err
	})
}

func rpc(ctx context.Context, token string, call func(context.Context) (*zitadelv1.ObjectDetails, error)) Answer {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer "+token)
	details, err := call(ctx)
	if err == nil {
		return Answer{Receipt: info.ResponseHeader().Get(receiptHeader), Sequence: details.GetSequence()}
	}
	var wire *connect.Error
	if errors.As(err, &wire) && connect.IsWireError(err) {
		return Answer{Code: wire.Code(), Message: wire.Message()}
	}
	return Answer{Err: err}
}

const receiptHeader = "X-Avatard-Receipt"

// Upload makes a picture that of a user, who is registered when unknown.
func (c *Client) Upload(ctx context.Context, token, user string, picture []byte) Answer {
	return c.upload(ctx, "/management/v1/users/"+user+"/avatar", token, picture)
}

// UploadOwn makes a picture that of the token's user, who is registered when unknown.
func (c *Client) UploadOwn(ctx context.Context, token string, picture []byte) Answer {
	return c.upload(ctx, "/assets/v1/users/me/avatar", token, picture)
}

func (c *Client) upload(ctx context.Context, path, token string, picture []byte) Answer {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "picture")
	if err != nil {
		return Answer{Err: err}
	}
	_, err = part.Write(picture)
	if err := errors.Join(err, w.Close()); err != nil {
		return Answer{Err: err}
	}
	return c.change(ctx, http.MethodPost, path, token, w.FormDataContentType(), form.Bytes())
}

// change makes one call of REST.
func (c *Client) change(ctx context.Context, method, path, token, contentType string, body []byte) Answer {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return Answer{Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.GetBody = nil // never sent twice
	res, err := c.plain().Do(req)
	if err != nil {
		return Answer{Err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusOK { // the promise, whether or not the rest arrived
		var done struct {
			Details struct {
				Sequence uint64 `json:",string"`
			}
		}
		_ = json.Unmarshal(text, &done)
		return Answer{Receipt: res.Header.Get(receiptHeader), Sequence: done.Details.Sequence}
	}
	if err != nil {
		return Answer{Err: err}
	}
	var refusal struct {
		Code    uint32
		Message string
	}
	if err := json.Unmarshal(text, &refusal); err != nil || refusal.Code == 0 {
		return Answer{Err: fmt.Errorf("status %d without an error of the API: %.200s", res.StatusCode, text)}
	}
	return Answer{Code: connect.Code(refusal.Code), Message: refusal.Message}
}

// Read fetches a user's picture as the public may. A reader that has one already names its entity tag; "" for none.
func (c *Client) Read(ctx context.Context, user, etag string) Read {
	return c.read(ctx, "/assets/v1/"+Organization+"/users/"+user+"/avatar", "", etag)
}

// ReadOwn fetches the picture of the token's user.
func (c *Client) ReadOwn(ctx context.Context, token, etag string) Read {
	return c.read(ctx, "/assets/v1/users/me/avatar", token, etag)
}

func (c *Client) read(ctx context.Context, path, token, etag string) Read {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return Read{Err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	res, err := c.plain().Do(req)
	if err != nil {
		return Read{Err: err}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return Read{Err: err}
	}
	r := Read{Status: res.StatusCode, ETag: res.Header.Get("ETag")}
	if res.StatusCode == http.StatusOK {
		r.Data = data
	}
	return r
}
