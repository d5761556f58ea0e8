package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"connectrpc.com/connect"

	"example.org/avatard/authz"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/erasure"
)

// reason is why the server does not do what a caller asked. Every answer that is not a success has one of these.
type reason int

const (
	internal reason = iota // the zero value: everything that is not listed
	noToken
	malformedToken
	invalidToken
	impersonation
	unknownOrganization
	noOrganization
	noHomeOrganization
	noMembership
	noPermission
	invalidRequest
	badPictureQuery
	uploadTooLarge
	otherOrganization
	conditionFailed
	unknownUser
	userEnded
	organizationEnded
	otherOrganizationRepeated
	configuredOrganization
	endLifted
	unknownReceipt
	unknownHistory
	badPageToken
	hookUnsigned
	hookBody
	hookOrganization
	hookOtherOrganization
	hookReplayed
	hookOutdated
	hookUnderWay
	hookUnfinished
	noPicture
	unavailable
	crowded
	tooManyUnknown
	overLimit
	overloaded
	messageTooLarge
	deadlinePassed
	callerGone
	noRoute
	wrongMethod
	unknownProcedure
	unknownCompression
	unknownCoding
)

// errorSpec is how the answer for one reason looks from outside.
type errorSpec struct {
	code    connect.Code
	status  int    // on REST and on the picture routes
	id      string // of the ErrorDetail, "" = none
	message string
	// retry: the same call may succeed after a while, which is a second unless the error names another time (Retry-After).
	retry bool
	// challenge: the answer carries WWW-Authenticate, with this error code in it unless that is "" (RFC 6750 section 3).
	challenge      bool
	challengeError string
	// challengeScheme is the challenge's, "" = Bearer.
	challengeScheme string
	// audited: the caller is known and was refused, which goes into the audit trail.
	audited bool
}

// errorTable has the answers of every form of every call (docs/api.md, "Errors"). Nothing changes it.
var errorTable = [...]errorSpec{
	internal:       {code: connect.CodeInternal, status: 500, message: "internal error"},
	noToken:        {code: connect.CodeUnauthenticated, status: 401, challenge: true, message: "no bearer token"},
	malformedToken: {code: connect.CodeUnauthenticated, status: 401, id: "AUTH-toLo1", challenge: true, message: "the Authorization header is not exactly one bearer token"},
	invalidToken:   {code: connect.CodeUnauthenticated, status: 401, id: "AUTH-7fs1e", challenge: true, challengeError: "invalid_token", message: "the token is inactive, expired, revoked or meant for somebody else"},
	impersonation:  {code: connect.CodePermissionDenied, status: 403, id: "APP-Shi0J", message: "tokens of an impersonation are not accepted"},

	unknownOrganization: {code: connect.CodePermissionDenied, status: 403, id: "AUTH-Bs7Ds", audited: true, message: "x-zitadel-orgid does not name one organisation that this call can act on"},
	noOrganization:      {code: connect.CodeNotFound, status: 404, id: "AUTHZ-cdgFk", audited: true, message: "no organisation: send x-zitadel-orgid, or get a token with the scope urn:zitadel:iam:user:resourceowner"},
	noHomeOrganization:  {code: connect.CodeNotFound, status: 404, id: "AUTHZ-cdgFk", audited: true, message: "the token does not name your organisation: get one with the scope urn:zitadel:iam:user:resourceowner"},
	noMembership:        {code: connect.CodeNotFound, status: 404, id: "AUTHZ-cdgFk", audited: true, message: "you have no role in this organisation"},
	noPermission:        {code: connect.CodePermissionDenied, status: 403, id: "AUTH-5mWD2", audited: true, message: "none of your roles in this organisation allows this"},

	invalidRequest:    {code: connect.CodeInvalidArgument, status: 400, message: "invalid request"},
	badPictureQuery:   {code: connect.CodeInvalidArgument, status: 400, id: "AVATAR-s1Ze2", message: "a parameter of the query has a value that is none, or is there twice"},
	uploadTooLarge:    {code: connect.CodeInvalidArgument, status: 413, message: "the picture is too large"},
	otherOrganization: {code: connect.CodeFailedPrecondition, status: 400, audited: true, message: "your token names another organisation than the one you are registered in"},
	conditionFailed:   {code: connect.CodeFailedPrecondition, status: 412, message: "the picture is not the one that If-Match or If-None-Match asks for"},
	unknownUser:       {code: connect.CodeNotFound, status: 404, id: "USER-35N8f", audited: true, message: "user not found in this organisation"},
	noPicture:         {code: connect.CodeNotFound, status: 404, message: "no picture"},

	userEnded:                 {code: connect.CodeFailedPrecondition, status: 400, id: "AVATAR-u5Nd9", audited: true, message: "the user's account was erased"},
	organizationEnded:         {code: connect.CodeFailedPrecondition, status: 400, id: "AVATAR-o2Nd7", audited: true, message: "the organisation was ended"},
	otherOrganizationRepeated: {code: connect.CodeInvalidArgument, status: 400, id: "AVATAR-o4Rp8", audited: true, message: "the organisation in the request is not the one that the call acts on"},
	configuredOrganization:    {code: connect.CodeFailedPrecondition, status: 400, id: "AVATAR-o7Cf3", audited: true, message: "the organisation is in the settings of the server, which registers it at each start"},
	endLifted:                 {code: connect.CodeAborted, status: 409, id: "AVATAR-o9Lf4", message: "the organisation was registered again meanwhile; nobody more is erased"},
	unknownReceipt:            {code: connect.CodeNotFound, status: 404, id: "AVATAR-r3Fn6", audited: true, message: "receipt not found in this organisation"},
	unknownHistory:            {code: connect.CodeOutOfRange, status: 400, id: "AVATAR-r6Hs2", message: "the log of receipts was never of the older size"},
	badPageToken:              {code: connect.CodeInvalidArgument, status: 400, id: "AVATAR-p5Tk1", message: "the page token is none of this list"},

	hookUnsigned:          {code: connect.CodeUnauthenticated, status: 401, id: "AVATAR-h1Sg4", challenge: true, challengeScheme: "Signature", message: "no current signature with a secret of this hook"},
	hookBody:              {code: connect.CodeInvalidArgument, status: 400, id: "AVATAR-h2Bd6", audited: true, message: "the event cannot be read"},
	hookOrganization:      {code: connect.CodePermissionDenied, status: 403, id: "AVATAR-h3Og9", audited: true, message: "the hook takes no events of this organisation"},
	hookOtherOrganization: {code: connect.CodePermissionDenied, status: 403, id: "AVATAR-h4Ot2", audited: true, message: "the user is on record in another organisation than the event says"},
	hookReplayed:          {code: connect.CodeAlreadyExists, status: 409, id: "AVATAR-h5Rp7", audited: true, message: "this message was taken before"},
	hookOutdated:          {code: connect.CodeFailedPrecondition, status: 409, id: "AVATAR-h6Od3", audited: true, message: "the user or the organisation was registered after the event"},
	hookUnderWay:          {code: connect.CodeUnavailable, status: 503, retry: true, message: "the event is being dealt with, try again"},
	hookUnfinished:        {code: connect.CodeUnavailable, status: 503, retry: true, message: "the organisation takes nobody any more, and some of its users are left: send the event again"},

	unavailable:     {code: connect.CodeUnavailable, status: 503, retry: true, message: "temporarily unavailable, try again"},
	crowded:         {code: connect.CodeUnavailable, status: 503, retry: true, message: "too many pictures are on their way, try again"},
	tooManyUnknown:  {code: connect.CodeUnavailable, status: 503, retry: true, message: "too many unknown tokens, try again later"},
	overLimit:       {code: connect.CodeResourceExhausted, status: 429, retry: true, message: "too many calls, slow down"},
	overloaded:      {code: connect.CodeUnavailable, status: 503, retry: true, message: "too many calls at once, try again"},
	messageTooLarge: {code: connect.CodeResourceExhausted, status: 413, message: fmt.Sprintf("the message is larger than %d bytes", MaxMessageBytes)},
	deadlinePassed:  {code: connect.CodeDeadlineExceeded, status: 504, message: "the deadline of the call passed; what was begun may go on"},
	callerGone:      {code: connect.CodeCanceled, status: 499, message: "the call was cancelled"},

	noRoute:            {code: connect.CodeNotFound, status: 404, message: "no such route"},
	wrongMethod:        {code: connect.CodeUnimplemented, status: 405, message: "the route does not have this method"},
	unknownProcedure:   {code: connect.CodeUnimplemented, status: 404, message: "no such procedure"},
	unknownCompression: {code: connect.CodeUnimplemented, status: 501, message: "unknown compression, known are gzip and identity"},
	unknownCoding:      {code: connect.CodeInvalidArgument, status: 415, message: "unknown Content-Encoding, known are gzip and identity"},
}

// outcome is how the log and the audit trail name the answer: the code, and the id if there is one.
func (o errorSpec) outcome() string {
	if o.id == "" {
		return o.code.String()
	}
	return o.code.String() + " " + o.id
}

// apiError is a reason with what is known about this call. Its text is for the log; answers use the table.
type apiError struct {
	reason
	// message replaces the table's, "" = the table's. It repeats nothing that the caller sent.
	message string
	// violations are the rules that the request broke, nil for other errors.
	violations *validate.Violations
	// retryAfter is how long to wait before the same call has a chance. 0 = unknown.
	retryAfter time.Duration
	// refused tells for log and metrics why the token was refused, nil when it was not.
	refused *authz.RefusedError
	// cause is for the log alone, nil when there is nothing to add.
	cause error
}

func (f *apiError) Error() string {
	if f.cause != nil {
		return errorTable[f.reason].message + ": " + f.cause.Error()
	}
	return f.text()
}

// text is the message to the outside without the id.
func (f *apiError) text() string {
	if f.message != "" {
		return f.message
	}
	return errorTable[f.reason].message
}

// errCrowded means that there was no room for a picture. It has no cause: the log must not grow with a crowd.
var errCrowded error = &apiError{reason: crowded}

// errDeparted means that the client of a call left before the call's end, which its context did not show.
var errDeparted error = &apiError{reason: callerGone}

// toAPIError maps an error of a package below to a reason. ctx is the context that the call ran with: a deadline
// counts as the caller's only when it is theirs.
func toAPIError(ctx context.Context, err error) *apiError {
	if f, ok := errors.AsType[*apiError](err); ok {
		return f
	}
	for _, known := range [...]struct {
		err error
		reason
	}{
		{authz.ErrNoToken, noToken},
		{authz.ErrMalformedToken, malformedToken},
		{authz.ErrInvalidToken, invalidToken},
		{authz.ErrImpersonation, impersonation},
		{authz.ErrForbidden, noPermission},
		{authz.ErrRateLimited, tooManyUnknown}, // without a cause: the log must not grow with a flood
		{authz.ErrUnknownOrganization, unknownOrganization},
		{storage.ErrUserNotFound, unknownUser},
		{storage.ErrOtherOrganization, unknownUser},
		{storage.ErrOrganizationNotFound, unknownUser},
		{storage.ErrUserEnded, userEnded},
		{storage.ErrOrganizationEnded, organizationEnded},
		{erasure.ErrLifted, endLifted},
		{storage.ErrReceiptNotFound, unknownReceipt},
		{storage.ErrNoHistory, unknownHistory},
		{storage.ErrNoPicture, noPicture},
		{storage.ErrConditionFailed, conditionFailed},
	} {
		if errors.Is(err, known.err) {
			return &apiError{reason: known.reason, retryAfter: authz.RetryAfter(err), refused: authz.Refused(err)}
		}
	}
	for _, rejected := range [...]error{picture.ErrUnsupported, picture.ErrPixels, picture.ErrMemory, picture.ErrMalformed} {
		if errors.Is(err, rejected) {
			return &apiError{reason: invalidRequest, message: err.Error()} // its text is meant for the sender
		}
	}
	switch ended := ctx.Err(); {
	case errors.Is(err, picture.ErrTooLarge):
		return &apiError{reason: uploadTooLarge, message: err.Error()}
	case errors.Is(ended, context.DeadlineExceeded):
		return &apiError{reason: deadlinePassed, cause: err}
	case ended != nil:
		return &apiError{reason: callerGone, cause: err}
	case errors.Is(err, authz.ErrUnavailable), errors.Is(err, storage.ErrUnavailable), errors.Is(err, erasure.ErrUnfinished),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled): // a time limit of a package below, not the caller's deadline
		return &apiError{reason: unavailable, cause: err, retryAfter: authz.RetryAfter(err)}
	}
	return &apiError{reason: internal, cause: err}
}

// connectError is an error ready to be written in any form.
func (s *Server) connectError(c *call, f *apiError) *connect.Error {
	o := errorTable[f.reason]
	message := f.text()
	if f.reason == internal {
		message += " (request " + c.answeredID() + ")"
	}
	plain := message
	if o.id != "" {
		message += " (" + o.id + ")"
	}
	out := connect.NewError(o.code, errors.New(message))
	if o.id != "" {
		if detail, err := connect.NewErrorDetail(&zitadelv1.ErrorDetail{Id: o.id, Message: plain}); err == nil {
			out.AddDetail(detail)
		}
	}
	if f.violations != nil {
		if detail, err := connect.NewErrorDetail(f.violations); err == nil {
			out.AddDetail(detail)
		}
	}
	if o.retry {
		seconds := max(1, math.Ceil(f.retryAfter.Seconds()))
		out.Meta().Set("Retry-After", strconv.FormatFloat(seconds, 'f', 0, 64))
	}
	if o.challenge {
		challenge := cmp.Or(o.challengeScheme, "Bearer") + ` realm="` + s.config.Realm + `"`
		if o.challengeError != "" {
			challenge += `, error="` + o.challengeError + `"`
		}
		out.Meta().Set("WWW-Authenticate", challenge)
	}
	return out
}

// writeError answers a request with an error, in the form of the request, and records it.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	c := callOf(r.Context())
	f := toAPIError(r.Context(), err)
	s.recordFailure(r.Context(), c, f)
	answer := s.connectError(c, f)
	if c.form == formREST || c.form == formPlain {
		writeRESTError(w, errorTable[f.reason].status, answer)
		return
	}
	if c.form == formGRPC && r.ProtoMajor > 1 {
		// At the end of a handler that wrote no body net/http says that the length is 0, and proxies (nginx, HAProxy) then
		// pass on the headers without the trailers, which are the answer. Headers that leave earlier name no length.
		defer func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }(w)
	}
	if f.reason == unknownProcedure {
		// Connect's own status for the code is 501, and 404 for a missing route would be as good; ours is 404.
		w = &statusReplacer{ResponseWriter: w, from: http.StatusNotImplemented, to: http.StatusNotFound}
	}
	_ = s.errorForm.Write(w, r, answer)
}

// plainError is the error of the RPC library for a reason.
func plainError(s reason) *connect.Error {
	return connect.NewError(errorTable[s].code, errors.New(errorTable[s].message))
}
