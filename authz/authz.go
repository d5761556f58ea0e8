// Package authz answers two questions about a request: who is calling, and may they.
//
// The first answer is an [Identity]. It comes from the bearer token alone, which the OAuth 2 provider is asked
// about (token introspection, RFC 7662). The second is a [Grant] for one organisation: with [Claims] a pure function of the
// identity and of a [Policy], with [ProviderPermissions] what the provider says.
//
// Beside them a [UserDirectory] can tell whether somebody else belongs to an organisation ([ProviderUsers], userdirectory.go); like
// permissions it asks through providerapi.go, with the caller's token.
//
// The package does not know routes, users or pictures, and it writes no answers: package server does.
//
//	Authorization header                              Identity + organisation
//	  bearer.go                                         policy.go (Claims), or
//	  introspect.go ── Introspector                     permissions.go, home.go ── ProviderPermissions
//	       │                                                 │
//	       └───────────► cache.go: kept answers ◄────────────┘
//	                       │  fifocache.go, flight.go (callers with the same question share one flight)
//	                       ▼
//	                     providerclient.go: one question
//	                       breaker.go             is the provider asked at all
//	                       pertoken.go            how many questions about one token
//	                       concurrencylimit.go    how many at once, with capacity reserved for known tokens
//	                       ▼
//	                     limitedtransport.go      size, media type and status of answers
//	                     isolatingtransport.go    no answer is taken for that to another question
//	                       ▼
//	                     provider
//	                       ▼
//	  introspectionresponse.go, identity.go,            permissionsresponse.go
//	  claimpaths.go
//	  ─► Identity                                       ─► Grant
//
// Beside that: discovery.go and rediscovery.go find out where to introspect; knowntokens.go, unknowntokens.go and waitlimit.go keep
// invented tokens from getting in the way of known ones; confirm.go and rejections.go protect tokens from a provider that has lost its
// database or refuses this server; failurelog.go, overloadlog.go and observe.go report to operators.
//
// A request to the provider is called a question, as in the names of the metrics.
package authz

import (
	"context"
	"errors"
	"net/http"
)

// Errors of authentication. Compare with errors.Is.
var (
	// ErrNoToken: the request has no Authorization header.
	ErrNoToken = errors.New("no bearer token")
	// ErrMalformedToken: the Authorization header is not exactly one "Bearer" with one b64token (RFC 6750
	// section 2.1), or there are several.
	ErrMalformedToken = errors.New("malformed Authorization header")
	// ErrInvalidToken: the provider or our own checks call the token inactive.
	ErrInvalidToken = errors.New("invalid token")
	// ErrImpersonation: somebody else acts as the token's subject, and that is not allowed.
	ErrImpersonation = errors.New("token of an impersonation")
	// ErrForbidden: the provider lets the caller do nothing in an organisation.
	ErrForbidden = errors.New("the provider refuses the caller")
	// ErrUnknownOrganization: the provider knows no such organisation.
	ErrUnknownOrganization = errors.New("unknown organisation")
	// ErrUnavailable: the provider gave no usable answer. The caller is not let through, and not told that their token is bad.
	ErrUnavailable = errors.New("identity provider unavailable")
)

// Identity is a caller, as the provider describes them. It is not changed after it was handed out.
type Identity struct {
	// Issuer is the configured issuer; with Subject it names the caller.
	Issuer string
	// Subject is the caller's user id (claim sub).
	Subject string
	// Organization is the organisation the caller belongs to, "" when the token does not say.
	Organization string
	// Roles holds the roles of the configured project, or those at the configured places: role → organisations it counts in.
	Roles map[string][]string
	// Actors are the ids of those who act in the caller's place (RFC 8693 section 4.1), the current actor first. It is
	// empty unless IntrospectionConfig.AllowImpersonation.
	Actors []string
	// Credential is the caller's token where a Source needs it, otherwise zero.
	Credential Credential
}

// Authenticator finds out who sent a request.
type Authenticator interface {
	// Authenticate looks at the Authorization headers only, and at the address in the context (WithClientAddress).
	// Its errors are ErrNoToken, ErrMalformedToken, ErrInvalidToken, ErrImpersonation and ErrUnavailable, wrapped, or the
	// context's. RetryAfter and Refused may know more of one.
	Authenticate(ctx context.Context, header http.Header) (Identity, error)
}

// Permission is something a caller may do in an organisation.
type Permission string

// The permissions of the API.
const (
	UserWrite  Permission = "user.write"
	UserRead   Permission = "user.read"
	UserDelete Permission = "user.delete"
	OrgDelete  Permission = "org.delete"
)

// Grant is what one caller may do in one organisation.
type Grant struct {
	// Member tells that the caller has any role there, known to the policy or not.
	Member bool
	// Allowed lists the caller's permissions there.
	Allowed []Permission
}

// Source finds out what a caller may do in an organisation.
type Source interface {
	// Grant returns the zero Grant for a caller without any role in org. An error is ErrUnavailable,
	// ErrUnknownOrganization, ErrForbidden, ErrInvalidToken (the token has ended since the caller was identified),
	// ErrImpersonation, or the context's.
	Grant(ctx context.Context, id Identity, org string) (Grant, error)
}
