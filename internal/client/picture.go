package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// Me stands for the user whose token is sent.
const Me = "me"

// Target is whose picture a call is about.
type Target struct {
	// User is an id, or Me.
	User string
	// Organization is the one to act in; "" = that of the token. Calls on one's own picture do not look at it.
	Organization string
}

// Details are the state of a user's record after a change.
type Details struct {
	// Sequence is the number of changes so far, in decimal.
	Sequence string `json:"sequence"`
	// CreationDate and ChangeDate are in RFC 3339.
	CreationDate string `json:"creationDate"`
	ChangeDate   string `json:"changeDate"`
	Organization string `json:"resourceOwner"`
	// Receipt is the id of the user's newest receipt of an erasure, "" if there never was one.
	Receipt string `json:"receipt,omitempty"`
	// Notice is what the server has to say of the picture, such as that it kept the first frame alone.
	Notice string `json:"notice,omitempty"`
}

// Picture is a stored picture.
type Picture struct {
	Data      []byte
	MediaType string
	// ETag names it. It says nothing about the content.
	ETag string
}

// Condition binds a change to the picture that there is. The zero value binds it to nothing.
type Condition struct {
	// OnlyFirst: the user has no picture.
	OnlyFirst bool
	// Only names the picture that there has to be; "" = any.
	Only string
}

// Bounds of answers.
const (
	maxAnswer  = 64 << 10
	maxPicture = 4 << 20 // of which a server stores a quarter
)

// Put makes a picture the user's. It returns when the picture is durable and the one it replaced is gone for good.
func (c *Client) Put(ctx context.Context, to Target, picture []byte, bound Condition) (Details, error) {
	body, contentType, err := form(picture)
	if err != nil {
		return Details{}, err
	}
	path := userPath(to.User)
	if to.User == Me {
		path = "/assets/v1/users/me/avatar"
	}
	header := to.header()
	header.Set("Content-Type", contentType)
	if bound.OnlyFirst {
		header.Set("If-None-Match", "*")
	}
	if bound.Only != "" {
		header.Set("If-Match", bound.Only)
	}
	got, err := c.call(ctx, request{http.MethodPost, path, header, body, maxAnswer})
	return detailsOf(got, err)
}

// Remove erases the user's picture. It returns when the picture is gone for good, also when there was none.
func (c *Client) Remove(ctx context.Context, of Target) (Details, error) {
	path := userPath(of.User)
	if of.User == Me {
		path = "/auth/v1/users/me/avatar"
	}
	got, err := c.call(ctx, request{http.MethodDelete, path, of.header(), nil, maxAnswer})
	return detailsOf(got, err)
}

// Get returns the user's picture. That of somebody else needs the organisation.
func (c *Client) Get(ctx context.Context, of Target) (Picture, error) {
	path := "/assets/v1/" + url.PathEscape(of.Organization) + "/users/" + url.PathEscape(of.User) + "/avatar"
	if of.User == Me {
		path = "/assets/v1/users/me/avatar"
	}
	got, err := c.call(ctx, request{http.MethodGet, path, http.Header{}, nil, maxPicture})
	if err != nil {
		return Picture{}, err
	}
	mediaType, _, err := mime.ParseMediaType(got.field("Content-Type"))
	if err != nil || !strings.HasPrefix(mediaType, "image/") {
		return Picture{}, errors.New("the answer is no picture; is that the address of avatard?")
	}
	return Picture{Data: got.body, MediaType: mediaType, ETag: got.field("Etag")}, nil
}

func userPath(user string) string {
	return "/management/v1/users/" + url.PathEscape(user) + "/avatar"
}

func (t Target) header() http.Header {
	h := http.Header{}
	if t.Organization != "" {
		h.Set("X-Zitadel-Orgid", t.Organization)
	}
	return h
}

// form is the body of an upload. The name of a file is not the server's business.
func form(picture []byte) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="picture"`},
		"Content-Type":        {"application/octet-stream"},
	})
	if err == nil {
		_, err = part.Write(picture)
	}
	err = errors.Join(err, w.Close()) // which writes the end of the form
	return b.Bytes(), w.FormDataContentType(), err
}

// detailsOf reads the answer to a change. Something else that answers 200 has not done what avatard does.
func detailsOf(got *answer, err error) (Details, error) {
	if err != nil {
		return Details{}, err
	}
	var message struct{ Details Details }
	if err := json.Unmarshal(got.body, &message); err != nil || message.Details.Sequence == "" {
		return Details{}, fmt.Errorf("answered %d, but not as avatard does; is that its address?", http.StatusOK)
	}
	d := message.Details
	d.Receipt, d.Notice = got.field("X-Avatard-Receipt"), got.field("X-Avatard-Notice")
	for _, text := range []*string{&d.Sequence, &d.CreationDate, &d.ChangeDate, &d.Organization} {
		*text = Printable(*text, got.token)
	}
	return d, nil
}
