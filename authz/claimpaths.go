package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"example.org/avatard/internal/ids"
)

// Bounds of places in answers. How large an answer may be is bounded beside that (jsonbounds.go).
const (
	maxClaimPaths = 8 // lists of roles
	maxClaimDepth = 8 // names of one path
)

// ClaimPath is a place in an introspection response: the names of members, from the outermost inwards.
type ClaimPath []string

// ParseClaimPath reads a place as settings have it: names with dots between them, such as realm_access.roles. A backslash makes the dot behind
// it a part of the name, as in https://example\.com/roles.
func ParseClaimPath(text string) (ClaimPath, error) {
	path, name, escaped := ClaimPath{}, "", false
	for _, r := range text {
		switch {
		case escaped && r != '.' && r != '\\':
			return nil, errors.New(`a backslash stands before a dot or another one only`)
		case !escaped && r == '\\':
			escaped = true
			continue
		case !escaped && r == '.':
			path, name = append(path, name), ""
			continue
		}
		name, escaped = name+string(r), false
	}
	if escaped {
		return nil, errors.New(`a backslash stands before a dot or another one only`)
	}
	path = append(path, name)
	return path, path.check()
}

func (p ClaimPath) check() error {
	if len(p) == 0 || len(p) > maxClaimDepth || slices.ContainsFunc(p, func(name string) bool { return !trustedID(name) }) {
		return fmt.Errorf("a claim has 1 to %d names of 1 to %d characters, without control characters", maxClaimDepth, ids.MaxRunes)
	}
	return nil
}

// ClaimPaths say where roles and the organisation stand in the answers of a provider whose roles are names without an organisation.
// Such roles count in one organisation, the caller's own, and in no other. The caller's own is the one that the answer names. A caller
// whose answer names none belongs to IntrospectionConfig.DefaultOrganization, where roles count only if no answer is asked for an
// organisation: else somebody could get a token without it and take the roles of another organisation there. A token that names several is
// refused, as it does not say where its roles were given.
type ClaimPaths struct {
	// Roles are the places of arrays of role names, at most eight. Names that are no ids are left out. nil = nobody has roles.
	Roles []ClaimPath
	// Organization is the place of the caller's organisation: a string, an array with one of them, or an object with one member, whose
	// name it is. nil = everybody belongs to the default organisation, with their roles.
	Organization ClaimPath
}

// KeycloakClaims are the places where Keycloak puts the roles of the realm and those of one client, and the organisation, which is there for
// callers who request the scope organization.
func KeycloakClaims(client string) ClaimPaths {
	return ClaimPaths{
		Roles:        []ClaimPath{{"realm_access", "roles"}, {"resource_access", client, "roles"}},
		Organization: ClaimPath{"organization"},
	}
}

func (c *ClaimPaths) check() error {
	if c == nil {
		return nil
	}
	var faults []error
	if len(c.Roles) > maxClaimPaths {
		faults = append(faults, fmt.Errorf("there are at most %d claims of roles", maxClaimPaths))
	}
	for _, path := range c.Roles {
		faults = append(faults, path.check())
	}
	if c.Organization != nil {
		faults = append(faults, c.Organization.check())
	}
	return errors.Join(faults...)
}

// clone returns a copy that shares nothing with c.
func (c *ClaimPaths) clone() *ClaimPaths {
	if c == nil {
		return nil
	}
	copied := &ClaimPaths{Organization: slices.Clone(c.Organization)}
	for _, path := range c.Roles {
		copied.Roles = append(copied.Roles, slices.Clone(path))
	}
	return copied
}

// organizations returns what the answer names as the caller's organisations, as it is.
func (c *ClaimPaths) organizations(members map[string]json.RawMessage) ([]string, error) {
	if c.Organization == nil {
		return nil, nil
	}
	place, name, err := c.Organization.walk(members)
	if err != nil || place == nil {
		return nil, err
	}
	if object, err := member[map[string]json.RawMessage](place, name); err == nil {
		if object == nil {
			return nil, nil
		}
		var names []string
		for name := range *object {
			names = append(names, name)
		}
		return names, nil
	}
	return oneOrMany(place, name)
}

// roles returns the names of the caller's roles, sorted, each once.
func (c *ClaimPaths) roles(members map[string]json.RawMessage) ([]string, error) {
	var names []string
	for _, path := range c.Roles {
		place, name, err := path.walk(members)
		if err != nil {
			return nil, err
		}
		list, err := member[[]*string](place, name)
		if err != nil {
			return nil, err
		}
		if list == nil {
			continue
		}
		for _, role := range *list {
			if role == nil {
				return nil, fmt.Errorf("%w: member of the wrong type", errMalformedResponse)
			}
			if trustedID(*role) {
				names = append(names, *role)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// walk returns the object that holds the last name of a path, nil where one on the way is absent or null, and that name.
func (p ClaimPath) walk(members map[string]json.RawMessage) (place map[string]json.RawMessage, name string, err error) {
	last := len(p) - 1
	for _, name := range p[:last] {
		inner, err := member[map[string]json.RawMessage](members, name)
		if err != nil || inner == nil {
			return nil, p[last], err
		}
		members = *inner
	}
	return members, p[last], nil
}

// belonging is where a caller belongs, by the kind of claims that is configured.
type belonging struct {
	home    string // "" = the answer does not say
	several bool   // the answer names more than one organisation
	invalid bool   // it names one that is no id
}

// belonging reads it. Nothing of ZITADEL's claims is looked at where other places are configured.
func (r rules) belonging(a *introspectionResponse) (belonging, error) {
	if r.claims == nil {
		home, err := member[string](a.members, organizationClaim)
		if err != nil || home == nil {
			return belonging{}, err
		}
		return belonging{home: *home, invalid: *home != "" && !trustedID(*home)}, nil
	}
	named, err := r.claims.organizations(a.members)
	switch {
	case err != nil || len(named) == 0:
		return belonging{}, err
	case len(named) > 1:
		return belonging{several: true}, nil
	}
	return belonging{home: named[0], invalid: !trustedID(named[0])}, nil
}

// rolesOf returns the roles of a caller whose answer names home, "" = none: role → organisations that it counts in.
func (r rules) rolesOf(a *introspectionResponse, home string) (map[string][]string, error) {
	if r.claims == nil {
		return a.roles(r.projectID)
	}
	names, err := r.claims.roles(a.members)
	org := home
	if r.claims.Organization == nil {
		org = r.defaultOrg
	}
	if err != nil || org == "" {
		return nil, err
	}
	roles := make(map[string][]string, len(names))
	for _, name := range names {
		roles[name] = []string{org}
	}
	return roles, nil
}
