package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// OwnPicturePath is where a caller's own picture is read and uploaded.
const OwnPicturePath = "/assets/v1/users/me/avatar"

// UserPicturePath is where a user's picture is uploaded, and deleted in REST.
func UserPicturePath(user string) string {
	return "/management/v1/users/" + url.PathEscape(user) + "/avatar"
}

// PicturePath is where a user's picture is read.
func PicturePath(organization, user string) string {
	return "/assets/v1/" + url.PathEscape(organization) + "/users/" + url.PathEscape(user) + "/avatar"
}

// Upload makes a picture that of a user.
func (c *Client) Upload(ctx context.Context, header http.Header, user string, picture []byte) Answer {
	return c.upload(ctx, UserPicturePath(user), header, picture)
}

// UploadOwn makes a picture that of the caller.
func (c *Client) UploadOwn(ctx context.Context, header http.Header, picture []byte) Answer {
	return c.upload(ctx, OwnPicturePath, header, picture)
}

func (c *Client) upload(ctx context.Context, path string, header http.Header, picture []byte) Answer {
	body, contentType := UploadForm(picture)
	header = header.Clone()
	header.Set("Content-Type", contentType)
	return c.Do(ctx, http.MethodPost, path, header, body)
}

// UploadForm returns the body of an upload and its media type.
func UploadForm(picture []byte) (body []byte, contentType string) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "me.png")
	if err == nil {
		_, err = part.Write(picture)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err) // writing into memory does not fail
	}
	return form.Bytes(), w.FormDataContentType()
}

// Do makes one call of REST, or any other whose errors are JSON. It is never sent twice. Calls go over HTTP/1.1 and HTTP/2 in turn.
func (c *Client) Do(ctx context.Context, method, path string, header http.Header, body []byte) Answer {
	res, r, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return Answer{Err: err, Header: http.Header{}}
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	a := r.answer()
	switch {
	case res.StatusCode == http.StatusOK && method != http.MethodGet:
		// The promise, whether or not the rest arrived.
		var message avatardv1.UploadPictureResponse // those of deletes have fewer fields
		if protojson.Unmarshal(r.body.Bytes(), &message) == nil {
			a.Details = message.GetDetails()
		}
	case err != nil:
		a.Err = err
	case res.StatusCode >= http.StatusBadRequest:
		a.Err = a.readError(r.body.Bytes())
	}
	return a
}

// readError takes over what the JSON of an error says.
func (a *Answer) readError(body []byte) error {
	var e struct {
		Code    any // a number in REST, a word in Connect
		Message string
		Details []struct {
			Type    string `json:"@type"`
			ID      string
			Message string
		}
	}
	err := json.Unmarshal(body, &e)
	switch code := e.Code.(type) {
	case float64:
		a.Code = connect.Code(code)
	case string:
		err = errors.Join(err, a.Code.UnmarshalText([]byte(code)))
	}
	if err != nil || a.Code == 0 {
		return fmt.Errorf("status %d without an error of the API: %.200s", a.Status, body)
	}
	a.Message = e.Message
	for _, d := range e.Details {
		if d.Type == "type.googleapis.com/zitadel.v1.ErrorDetail" {
			a.Detail = &zitadelv1.ErrorDetail{Id: d.ID, Message: d.Message}
		}
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, *recording, error) {
	r := new(recording)
	req, err := http.NewRequestWithContext(context.WithValue(ctx, recordingKey{}, r), method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.GetBody = nil // never sent twice
	hc := *c.HTTP1
	if c.turns.Add(1)%2 == 0 {
		hc = *c.HTTP2
	}
	hc.Transport = recordingTransport{hc.Transport}
	res, err := hc.Do(req)
	return res, r, err
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

// Read fetches a user's picture as the public may. A reader that has one already names its entity tag; "" for none.
func (c *Client) Read(ctx context.Context, organization, user, etag string) Read {
	return c.ReadSize(ctx, organization, user, etag, 0)
}

// ReadSize is Read with a size in pixels; 0 = as stored.
func (c *Client) ReadSize(ctx context.Context, organization, user, etag string, size int) Read {
	return c.read(ctx, PicturePath(organization, user)+sizeQuery(size), http.Header{}, etag)
}

// ReadOwn fetches the picture of the caller.
func (c *Client) ReadOwn(ctx context.Context, header http.Header, etag string) Read {
	return c.ReadOwnSize(ctx, header, etag, 0)
}

// ReadOwnSize is ReadOwn with a size in pixels; 0 = as stored.
func (c *Client) ReadOwnSize(ctx context.Context, header http.Header, etag string, size int) Read {
	return c.read(ctx, OwnPicturePath+sizeQuery(size), header.Clone(), etag)
}

func sizeQuery(size int) string {
	if size == 0 {
		return ""
	}
	return "?size=" + strconv.Itoa(size)
}

func (c *Client) read(ctx context.Context, path string, header http.Header, etag string) Read {
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	res, r, err := c.send(ctx, http.MethodGet, path, header, nil)
	if err != nil {
		return Read{Err: err}
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return Read{Err: err}
	}
	read := Read{Status: res.StatusCode, ETag: res.Header.Get("ETag")}
	if res.StatusCode == http.StatusOK {
		read.Data = r.body.Bytes()
	}
	return read
}
