package authz

import (
	"example.org/avatard/internal/ids"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// notBeforeSkew is how far the provider's clock may be ahead of ours before its newest tokens are refused. The end
// of a token gets no such grace: a clock that is behind must not lengthen a life that the provider ended.
const notBeforeSkew = 5 * time.Second

// trustedID reports whether an id out of a provider's JSON may stand for somebody. The JSON decoder puts U+FFFD where
// it meets broken UTF-8 or half a surrogate pair; two different ids would become one.
func trustedID(s string) bool {
	return ids.Valid(s) && !strings.ContainsRune(s, utf8.RuneError)
}

// rules are the configured values that an answer is checked against.
type rules struct {
	issuer    string
	audience  string
	projectID string // "" = no roles
	allowPAT  bool

	// claims are the places of roles and organisation; nil = ZITADEL's claims. defaultOrg is where roles of callers count where no place
	// of an organisation is known; ZITADEL's roles name theirs.
	claims     *ClaimPaths
	defaultOrg string

	allowImpersonation bool
}

// validation is what a response amounts to, apart from the time. It is never changed.
type validation struct {
	identity Identity
	// refused is nil, or why the token is refused.
	refused *RefusedError
	// The token is good from notBefore (0 = always) less the skew, and up to but not at expires. Unix seconds.
	expires, notBefore int64
}

// validate applies the rules to a response. Its error says that the response is malformed, which says nothing about the token.
func (r rules) validate(a introspectionResponse) (validation, error) {
	switch {
	case !a.read:
		return validation{}, errMalformedResponse
	case !a.active:
		return refuse(ReasonInactive), nil
	}
	where, err := r.belonging(&a)
	if err != nil {
		return validation{}, err
	}
	switch {
	case a.expires == 0:
		return refuse(ReasonNoExpiry), nil
	case a.issuer != nil && *a.issuer != r.issuer:
		return refuseAs(ReasonIssuer, ErrInvalidToken, "the token's is "+quoted(*a.issuer)+", ours is "+quoted(r.issuer)), nil
	case !slices.Contains(a.audience, r.audience):
		return refuseAs(ReasonAudience, ErrInvalidToken, "the token's are "+quoted(a.audience...)+", ours is "+quoted(r.audience)), nil
	case !trustedID(a.subject):
		return refuse(ReasonSubject), nil
	case where.invalid:
		return refuse(ReasonOrganization), nil
	case where.several:
		return refuseAs(ReasonOrganization, ErrInvalidToken, "it names several, and does not say in which of them its roles count"), nil
	case slices.ContainsFunc(a.kinds, isNoAccessToken):
		return refuseAs(ReasonKind, ErrInvalidToken, "it is "+quoted(a.kinds...)), nil
	case a.keyBound:
		// Bound to a key or certificate (RFC 7800) whose possession is not checked here.
		return refuse(ReasonBound), nil
	case a.clientID == "" && !r.allowPAT:
		// ZITADEL fills the audience of a personal access token with the client that asks.
		return refuse(ReasonNoClient), nil
	case len(a.actors) > 0 && !(r.allowImpersonation && usableActors(a.subject, a.actors)):
		return refuseAs(ReasonImpersonation, ErrImpersonation, ""), nil
	}
	roles, err := r.rolesOf(&a, where.home)
	if err != nil {
		return validation{}, err
	}
	return validation{
		identity:  Identity{Issuer: r.issuer, Subject: a.subject, Organization: where.home, Roles: roles, Actors: a.actors},
		expires:   a.expires,
		notBefore: a.notBefore,
	}, nil
}

// isNoAccessToken reports whether a value of typ, token_use or token_type names anything but an access token, such as
// Refresh, Offline, ID or DPoP. It lists what is allowed, so that an unforeseen kind is refused.
func isNoAccessToken(kind string) bool {
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "bearer", "jwt", "at+jwt", "access", "access_token":
		return false
	}
	return true
}

// identityAt returns the user that the token stands for now. A token whose exp is this very second has expired (RFC 7519 section 4.1.4).
func (v *validation) identityAt(now time.Time) (Identity, error) {
	if v.refused != nil {
		return Identity{}, v.refused
	}
	if now.Unix() >= v.expires {
		return Identity{}, errExpired
	}
	if now.Add(notBeforeSkew).Unix() < v.notBefore {
		return Identity{}, errNotYetValid
	}
	return v.identity, nil
}

// accepted, expiry and size implement cacheable.
func (v validation) accepted() bool { return v.refused == nil }
func (v validation) expiry() int64  { return v.expires }
func (v validation) size() int {
	const perEntry, perString = 512, 32
	n := perEntry + len(v.identity.Subject) + len(v.identity.Organization)
	if v.refused != nil {
		n += len(v.refused.Detail)
	}
	for _, actor := range v.identity.Actors {
		n += perString + len(actor)
	}
	for role, orgs := range v.identity.Roles {
		n += 2*perString + len(role)
		for _, org := range orgs {
			n += perString + len(org)
		}
	}
	return n
}
