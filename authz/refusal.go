package authz

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Reason is why a token is not accepted. There are few, so they can be labels of a metric.
type Reason string

// The reasons. They are for operators; callers do not get to see them.
const (
	// ReasonMalformed: the Authorization header is not exactly one bearer token.
	ReasonMalformed Reason = "malformed"
	// ReasonInactive: the provider calls the token inactive: expired, revoked, unknown, or not meant for this client.
	ReasonInactive Reason = "inactive"
	// ReasonRejected: the provider answers with status 400 or 401 when asked about this token, and about others as it should.
	ReasonRejected Reason = "rejected"
	// ReasonNoExpiry: the answer has no exp.
	ReasonNoExpiry Reason = "no_expiry"
	// ReasonExpired: exp has passed.
	ReasonExpired Reason = "expired"
	// ReasonNotYetValid: nbf is to come.
	ReasonNotYetValid Reason = "not_yet_valid"
	// ReasonIssuer: iss is another one than the configured issuer.
	ReasonIssuer Reason = "issuer"
	// ReasonAudience: aud does not hold the configured audience.
	ReasonAudience Reason = "audience"
	// ReasonSubject: sub is missing or not a valid id.
	ReasonSubject Reason = "subject"
	// ReasonOrganization: the id of the caller's organisation is not valid, or several are named.
	ReasonOrganization Reason = "organisation"
	// ReasonKind: typ, token_use or token_type names something else than an access token.
	ReasonKind Reason = "token_type"
	// ReasonBound: the token is bound to a key or certificate (cnf), whose possession is not checked here.
	ReasonBound Reason = "sender_constrained"
	// ReasonNoClient: there is no client_id, as with ZITADEL's personal access tokens, and those are not allowed.
	ReasonNoClient Reason = "no_client_id"
	// ReasonImpersonation: somebody else acts as the subject (act), and that is not allowed.
	ReasonImpersonation Reason = "impersonation"
	// ReasonEnded: introspection took the token for active, and the provider does not when asked with it.
	ReasonEnded Reason = "ended"
)

// Reasons returns all reasons there are.
func Reasons() []Reason {
	return []Reason{ReasonMalformed, ReasonInactive, ReasonRejected, ReasonNoExpiry, ReasonExpired, ReasonNotYetValid, ReasonIssuer, ReasonAudience,
		ReasonSubject, ReasonOrganization, ReasonKind, ReasonBound, ReasonNoClient, ReasonImpersonation, ReasonEnded}
}

// RefusedError is the error about a token that is not accepted.
type RefusedError struct {
	Reason Reason
	// Detail says more for the log, "" = nothing. Text of the provider's answer in it is quoted and cut; it holds nothing of the token.
	Detail string
	kind   error // ErrInvalidToken or another of the errors of authentication
}

func (e *RefusedError) Error() string {
	if e.Detail == "" {
		return e.kind.Error() + ": " + string(e.Reason)
	}
	return e.kind.Error() + ": " + string(e.Reason) + ": " + e.Detail
}

// Unwrap returns ErrInvalidToken, ErrMalformedToken or ErrImpersonation.
func (e *RefusedError) Unwrap() error { return e.kind }

// Refused returns why the token was refused in the call that ended with err, nil when it was not.
func Refused(err error) *RefusedError {
	e, _ := errors.AsType[*RefusedError](err)
	return e
}

// What does not depend on the answer is made once.
var (
	errExpired     = &RefusedError{Reason: ReasonExpired, kind: ErrInvalidToken}
	errNotYetValid = &RefusedError{Reason: ReasonNotYetValid, kind: ErrInvalidToken}
	errEnded       = &RefusedError{Reason: ReasonEnded, kind: ErrInvalidToken}
)

// refuse returns the validation of a token that is not accepted.
func refuse(reason Reason) validation { return refuseAs(reason, ErrInvalidToken, "") }

func refuseAs(reason Reason, kind error, detail string) validation {
	return validation{refused: &RefusedError{Reason: reason, Detail: detail, kind: kind}}
}

// quoted shows texts of the provider in a detail: few and short ones, without control characters of a terminal.
func quoted(texts ...string) string {
	const most, longest = 3, 64
	if len(texts) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, text := range texts {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(texts)-most)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		more := ""
		if len(text) > longest {
			end := longest
			for end > longest-utf8.UTFMax && !utf8.RuneStart(text[end]) {
				end--
			}
			text, more = text[:end], "…"
		}
		fmt.Fprintf(&b, "%+q%s", text, more)
	}
	return b.String()
}

// NewRefusedError returns an ErrInvalidToken with a reason, for an [Authenticator] of another kind.
func NewRefusedError(reason Reason, detail string) *RefusedError {
	return &RefusedError{Reason: reason, Detail: detail, kind: ErrInvalidToken}
}
