package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Kinds of errors. Compare with errors.Is.
var (
	// ErrNotPermitted: there is no token, it is not good any more, or its owner may not do this.
	ErrNotPermitted = errors.New("not permitted")
	// ErrNotFound: the user is not known in the organisation, or has no picture.
	ErrNotFound = errors.New("not found")
	// ErrRefused: the server does not take the picture, or the id.
	ErrRefused = errors.New("refused")
	// ErrConditionFailed: the user's picture is not what the change was bound to. Nothing changed. It is an ErrRefused.
	ErrConditionFailed = fmt.Errorf("%w: another picture", ErrRefused)
	// ErrUnreachable: no whole answer came in time, or the server is busy. Whether a change was made is not known; it does no harm to ask
	// for it again.
	ErrUnreachable = errors.New("unreachable")
)

// Error is the answer of a server that did not do what it was asked for.
type Error struct {
	// Status is that of HTTP.
	Status int
	// Message is the server's, for people, with control characters taken out.
	Message string
	// ID is what programs match on; "" for none.
	ID string
	// RequestID joins the answer with the server's log.
	RequestID string

	kind error
}

func (e *Error) Error() string {
	if e.ID == "" || strings.Contains(e.Message, e.ID) {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.ID)
}

// Unwrap returns the kind, nil when there is none for it.
func (e *Error) Unwrap() error { return e.kind }

// Answers of avatard with status 404: two ids, of which the first is about the caller and not about what was looked for, and a message.
const (
	noRights    = "AUTHZ-cdgFk"
	unknownUser = "USER-35N8f"
	noPicture   = "no picture"
)

// newError reads the answer of a server to a call with a token.
func newError(res *http.Response, body []byte, token string) *Error {
	e := &Error{Status: res.StatusCode, RequestID: Printable(res.Header.Get("X-Request-Id"), token)}
	var answer struct {
		Message string
		Details []struct{ ID string }
	}
	if json.Unmarshal(body, &answer) != nil || answer.Message == "" {
		e.Message = fmt.Sprintf("answered %d %s, not as avatard does", res.StatusCode, http.StatusText(res.StatusCode))
		if to := redirectTarget(res, token); to != "" {
			e.Message = "wants calls to go to " + to + "; redirects are not followed, because the token would go there, too"
		}
	} else {
		e.Message = Printable(answer.Message, token)
	}
	for _, d := range answer.Details {
		if d.ID != "" && e.ID == "" {
			e.ID = Printable(d.ID, token)
		}
	}
	e.kind = e.kindOf()
	if e.Status == http.StatusNotFound && e.kind == nil {
		e.Message += "; is that the address of avatard?"
	}
	return e
}

// kindOf goes by status, and for 404, which an address that is not avatard's answers, too, by what avatard says of a user.
func (e *Error) kindOf() error {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrNotPermitted
	case http.StatusNotFound:
		switch {
		case e.ID == noRights:
			return ErrNotPermitted
		case e.ID == unknownUser, e.ID == "" && e.Message == noPicture:
			return ErrNotFound
		}
	case http.StatusPreconditionFailed:
		return ErrConditionFailed
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return ErrRefused
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusBadGateway:
		return ErrUnreachable
	}
	return nil
}

// redirectTarget is where a redirect leads, without query: that may hold what is nobody's business. "" = it is none.
func redirectTarget(res *http.Response, token string) string {
	if res.StatusCode < 300 || res.StatusCode > 399 {
		return ""
	}
	to, err := res.Location()
	if err != nil {
		return ""
	}
	return Printable(to.Scheme+"://"+to.Host+to.Path, token) // not escaped, because a token could be in it in another form
}

// maxText bounds what is taken over of a server's words.
const maxText = 500

// Printable is a text of a server as it may go to a terminal: without control characters, cut to a readable length, and with "[token]" in
// place of each secret that the server was sent.
func Printable(s string, secrets ...string) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	for _, secret := range secrets { // before the cut, which would leave the beginning of one
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[token]")
		}
	}
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}
