package server

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"avatard/authz"
	authconnect "avatard/gen/zitadel/auth/v1/authv1connect"
	managementconnect "avatard/gen/zitadel/management/v1/managementv1connect"
	"avatard/storage"
)

// access is who may call a procedure. The zero value lets nobody in.
type access struct {
	// own: the call acts on the caller's own user; any valid token will do.
	own bool
	// need is the permission in the organisation that the call acts on.
	need authz.Permission
}

// accessTable is the one list of what may be called with a token. What is open to everyone is in health.go; New
// refuses a procedure that is in neither.
func accessTable() map[string]access {
	return map[string]access{
		managementconnect.ManagementServiceRemoveHumanAvatarProcedure: {need: authz.UserWrite},
		authconnect.AuthServiceRemoveMyAvatarProcedure:                {own: true},
	}
}

// admit lets a request in or returns the reason why not, from its headers alone: authentication, organisation,
// membership, permission, in this order and each only after the one before.
func (s *Server) admit(r *http.Request, rule access) error {
	ctx := r.Context()
	if err := s.authenticate(ctx, r.Header); err != nil {
		return err
	}
	c := callOf(ctx)
	if rule.own {
		// The header says nothing here, whatever it says: clients set it once for all their calls, and nobody acts on
		// their own user in an organisation that a header chose. A delete finds the user where they are on record, since
		// the caller's organisation may have changed.
		if err := s.findHome(ctx, c); err != nil {
			return err
		}
		if c.caller.Organization == "" {
			return &failure{situation: noHomeOrganization}
		}
		c.organization = c.caller.Organization
		return nil
	}
	org, err := namedOrganization(r.Header)
	if err == nil && org != "" {
		err = s.checkNamed(ctx, org)
	}
	if err == nil && org == "" {
		err = s.findHome(ctx, c)
		org = c.caller.Organization
	}
	if err != nil {
		return err
	}
	if org == "" {
		return &failure{situation: noOrganization}
	}
	if err := s.permit(ctx, org, rule.need); err != nil {
		return err
	}
	s.registerPermitted(ctx, org)
	return nil
}

// authenticate finds out who calls.
func (s *Server) authenticate(ctx context.Context, header http.Header) error {
	c := callOf(ctx)
	id, err := s.config.Authenticator.Authenticate(authz.WithClientAddress(ctx, c.address), header)
	if err != nil {
		return err
	}
	c.caller, c.identified = id, true
	return s.limitCaller(c)
}

// permit checks membership and permission in an organisation.
func (s *Server) permit(ctx context.Context, org string, need authz.Permission) error {
	c := callOf(ctx)
	c.organization = org
	if err := s.limitInvented(ctx, c, org); err != nil {
		return err
	}
	grant, err := s.config.Permissions.Grant(ctx, c.caller, org)
	switch {
	case err != nil:
		return err
	case !grant.Member:
		return &failure{situation: noMembership}
	case need == "" || !slices.Contains(grant.Allowed, need):
		return &failure{situation: noPermission}
	}
	return nil
}

// namedOrganization returns the organisation that the headers name, "" when they name none.
func namedOrganization(header http.Header) (string, error) {
	var named string
	for _, value := range header["X-Zitadel-Orgid"] {
		value = strings.Trim(value, " \t")
		if value == "" || value == named {
			continue
		}
		if named != "" {
			return "", &failure{situation: unknownOrganization}
		}
		named = value
	}
	return named, nil
}

// userKey names a user of the configured issuer to the store.
func (s *Server) userKey(id string) storage.UserKey {
	return storage.UserKey{Issuer: s.config.Issuer, ID: id}
}
