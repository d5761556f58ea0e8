package authz

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// What ZITADEL's API says when it refuses: the number of the gRPC code, and the ids of the reasons we look for.
const (
	codeNotFound          = 5
	codePermissionDenied  = 7
	codeUnauthenticated   = 16
	idUnknownOrganization = "AUTH-Bs7Ds"
	idImpersonation       = "APP-Shi0J"
	idNoMembership        = "AUTHZ-cdgFk"
)

// permissionsResponse is what the provider lets a caller do in an organisation. It is never changed.
type permissionsResponse struct {
	Grant
	// refused is nil, or what apiError.meaning returns.
	refused error
}

// accepted, expiry and size implement cacheable. A caller without a role may be given one any moment, so that answer is kept as
// shortly as a refusal.
func (p permissionsResponse) accepted() bool { return p.refused == nil && p.Member }
func (p permissionsResponse) expiry() int64  { return 0 }
func (p permissionsResponse) size() int {
	const perEntry, perPermission = 512, 16
	return perEntry + perPermission*len(p.Allowed)
}

// readPermissions reads the answer to a search. A caller who is allowed anything at all is a member; of what they are allowed, only
// the permissions of this API are kept. An answer without members says that there is nothing; one with other members is an error.
func readPermissions(body []byte) (permissionsResponse, error) {
	members, err := object(body)
	if err != nil {
		return permissionsResponse{}, err
	}
	names, err := member[[]*string](members, "result")
	if err != nil {
		return permissionsResponse{}, err
	}
	if names == nil {
		if _, there := members["result"]; len(members) > 0 && !there {
			return permissionsResponse{}, fmt.Errorf("%w: no member result", errMalformedResponse)
		}
		return permissionsResponse{}, nil
	}
	p := permissionsResponse{Grant: Grant{Member: len(*names) > 0}}
	for _, name := range *names {
		if name == nil {
			return permissionsResponse{}, fmt.Errorf("%w: member of the wrong type", errMalformedResponse)
		}
		switch allowed := Permission(*name); allowed {
		case UserWrite, UserRead, UserDelete, OrgDelete:
			p.Allowed = append(p.Allowed, allowed)
		}
	}
	slices.Sort(p.Allowed)
	p.Allowed = slices.Clip(slices.Compact(p.Allowed))
	return p, nil
}

// apiError is an error of ZITADEL's API, as far as it is used.
type apiError struct {
	code int    // 0 = it cannot be read
	id   string // of the first error detail
}

// meaning returns what an answer with a status means for the caller. It is nil unless the refusal is in the provider's own words, since
// any proxy on the way can answer with 401 and 403.
func (r apiError) meaning(status int) error {
	switch {
	case status == http.StatusUnauthorized && r.code == codeUnauthenticated:
		return errEnded
	case status != http.StatusForbidden:
		return nil
	case r.id == idUnknownOrganization:
		return ErrUnknownOrganization
	case r.id == idImpersonation:
		return &RefusedError{Reason: ReasonImpersonation, kind: ErrImpersonation, Detail: "the provider says so"}
	case r.code == codePermissionDenied:
		return ErrForbidden
	}
	return nil
}

// readAPIError reads the body of an error. Any other body gives the zero value.
func readAPIError(body []byte) apiError {
	members, err := object(body)
	if err != nil {
		return apiError{}
	}
	code, err := member[int](members, "code")
	if err != nil || code == nil {
		return apiError{}
	}
	r := apiError{code: *code}
	details, err := member[[]map[string]json.RawMessage](members, "details")
	if err != nil || details == nil {
		return r
	}
	for _, detail := range *details {
		if id, err := member[string](detail, "id"); err == nil && id != nil {
			r.id = *id
			break
		}
	}
	return r
}
