package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	avatardconnect "example.org/avatard/gen/avatard/v1/avatardv1connect"
	authconnect "example.org/avatard/gen/zitadel/auth/v1/authv1connect"
	managementconnect "example.org/avatard/gen/zitadel/management/v1/managementv1connect"
	"example.org/avatard/storage"
)

// accessRule says who may call an endpoint. The zero value lets nobody in.
type accessRule struct {
	// open: everyone may call, without a token, within bounds of their own. Only endpoints that tell nothing about users are open:
	// health and reflection.
	open bool
	// public: everyone may call, without a token. The call counts like any other.
	public bool
	// self: the call acts on the caller's own user. Any valid token will do.
	self bool
	// reader: the first variable of the path is an organisation and the second one of its users. That user may call, and
	// everybody who has the permission there.
	reader bool
	// need is the permission in the organisation that the call acts on.
	need authz.Permission
	// ended: that organisation may have ended.
	ended bool
	// hook: everyone may call, without a token, within bounds of their own. The endpoint checks the sender's signature itself, for which it
	// needs the body.
	hook bool
	// rate counts calls by address, beside the rate of all calls. nil = no bound.
	rate *limit.RateLimiter[netip.Addr]
}

// accessRules is the one list of who may call what. Procedures stand in it by their path, and so do the REST routes that are
// bound to them; all other routes by method and pattern, where GET stands for HEAD, too. New refuses an endpoint without a rule.
func (s *Server) accessRules() map[string]accessRule {
	open := accessRule{open: true}
	reading := accessRule{reader: true, need: authz.UserRead}
	if s.config.PublicAssets {
		reading = accessRule{public: true}
	}
	rules := map[string]accessRule{
		managementconnect.ManagementServiceRemoveHumanAvatarProcedure: {need: authz.UserWrite},
		authconnect.AuthServiceRemoveMyAvatarProcedure:                {self: true},

		avatardconnect.ErasureServiceEraseUserProcedure:         {need: authz.UserDelete},
		avatardconnect.ErasureServiceEraseOrganizationProcedure: {need: authz.OrgDelete, ended: true},
		avatardconnect.ErasureServiceGetReceiptProcedure:        {need: authz.UserRead, ended: true},
		avatardconnect.ErasureServiceListReceiptsProcedure:      {need: authz.UserRead, ended: true},
		avatardconnect.ErasureServiceGetReceiptLogProcedure:     {need: authz.UserRead, ended: true},
		avatardconnect.UserServiceGetUserProcedure:              {need: authz.UserRead},
		avatardconnect.UserServiceListUsersProcedure:            {need: authz.UserRead},

		"POST " + ownPicture:     {self: true},
		"POST " + managedPicture: {need: authz.UserWrite},
		"GET " + ownPicture:      {self: true},
		"GET " + picturePattern:  reading,

		"GET /healthz":       open,
		"GET /readyz":        open,
		"GET /openapi.json":  open,
		"GET /openapi.yaml":  open,
		"GET /api.binpb":     open,
		"GET /api.zip":       open,
		"GET /docs":          open,
		"GET /callback":      open,
		"GET /web/{file}":    open,
		healthPath + "Check": open,
		healthPath + "Watch": open,
	}
	if s.config.Page {
		rules["GET /"] = open
	}
	for _, h := range s.config.Hooks {
		rules["POST "+hookPrefix+h.Name] = accessRule{hook: true}
	}
	if !s.config.WithoutReflection {
		for _, service := range reflectionServices {
			rules[reflectionPath(service)] = accessRule{open: true, rate: s.reflections}
		}
	}
	return rules
}

// authorize decides all that can be decided about a call without its body, for every endpoint alike: rate of the address,
// authentication, rate of the caller, organisation, membership, permission, and the header with the deadline, each only after
// those before. It returns nil when the call is let in.
func (s *Server) authorize(r *http.Request, m match) error {
	ctx := r.Context()
	c := callOf(ctx)
	if err := s.limitAddress(c, m); err != nil {
		return err
	}
	if m.notFound {
		return nil
	}
	c.procedure = m.procedure
	if c.form == formREST {
		takeRESTOrganization(r.Header)
	}
	if err := s.applyRule(ctx, c, r.Header, m); err != nil {
		return err
	}
	if c.badTimeout && (c.identified || c.form != formREST) {
		return &apiError{reason: invalidRequest, message: "the time-out header cannot be read"}
	}
	return nil
}

// applyRule decides who is let in by the rule of an endpoint.
func (s *Server) applyRule(ctx context.Context, c *call, header http.Header, m match) error {
	rule := m.rule
	if rule.public || rule.open || rule.hook {
		return nil
	}
	if err := s.authenticate(ctx, c, header); err != nil {
		return err
	}
	switch {
	case rule.self:
		return s.authorizeSelf(ctx, c)
	case rule.reader:
		return s.authorizeReader(ctx, c, header, rule.need, m.variables[0], m.variables[1])
	}
	return s.authorizePermitted(ctx, c, header, rule)
}

// authorizeSelf lets a caller act on their own user.
//
// The organisation header is ignored here: clients set it once for all their calls, and no caller acts on their own user
// in an organisation that a header chose. A delete finds the user where they are on record, since the caller's organisation
// may have changed.
func (s *Server) authorizeSelf(ctx context.Context, c *call) error {
	if err := s.findHome(ctx, c); err != nil {
		return err
	}
	if c.caller.Organization == "" {
		return &apiError{reason: noHomeOrganization}
	}
	c.organization = c.caller.Organization
	return nil
}

// authorizePermitted lets in callers with a permission in the organisation that the call acts on: the one that the header names, else
// the caller's own.
func (s *Server) authorizePermitted(ctx context.Context, c *call, header http.Header, rule accessRule) error {
	org, err := namedOrganization(header)
	if err == nil && org != "" {
		err = s.checkNamed(ctx, org, rule.ended)
	}
	if err == nil && org == "" {
		err = s.findHome(ctx, c)
		org = c.caller.Organization
	}
	if err != nil {
		return err
	}
	if org == "" {
		return &apiError{reason: noOrganization}
	}
	if err := s.checkPermission(ctx, c, org, rule.need); err != nil {
		return err
	}
	s.registerPermitted(ctx, org)
	return nil
}

// authorizeReader lets in the user whom a path names, and everybody with a permission in the organisation that it names.
func (s *Server) authorizeReader(ctx context.Context, c *call, header http.Header, need authz.Permission, org, user string) error {
	// This comes before anything is decided or recorded about the ids: the path may hold any bytes.
	if err := checkReadIDs(org, user); err != nil {
		return err
	}
	named, err := namedOrganization(header)
	if err == nil && named != "" {
		err = s.checkNamed(ctx, named, false)
	}
	if err != nil {
		return err
	}
	if named != "" && named != org {
		return &apiError{reason: unknownOrganization}
	}
	if c.caller.Subject == user {
		if err := s.findHome(ctx, c); err != nil {
			return err
		}
		if c.caller.Organization == org {
			c.organization = org
			return nil
		}
	}
	return s.checkPermission(ctx, c, org, need)
}

// authenticate finds out who calls.
func (s *Server) authenticate(ctx context.Context, c *call, header http.Header) error {
	id, err := s.config.Authenticator.Authenticate(authz.WithClientAddress(ctx, c.address), header)
	if err != nil {
		return err
	}
	c.caller, c.identified = id, true
	return s.limitCaller(c)
}

// checkPermission checks membership and permission in an organisation.
func (s *Server) checkPermission(ctx context.Context, c *call, org string, need authz.Permission) error {
	c.organization = org
	if err := s.limitInvented(ctx, c, org); err != nil {
		return err
	}
	grant, err := s.config.Permissions.Grant(ctx, c.caller, org)
	switch {
	case err != nil:
		return err
	case !grant.Member:
		return &apiError{reason: noMembership}
	case need == "" || !slices.Contains(grant.Allowed, need):
		return &apiError{reason: noPermission}
	}
	return nil
}

// takeRESTOrganization lets an organisation that comes under its REST name count like one under the usual name.
func takeRESTOrganization(header http.Header) {
	if more := header["Grpc-Metadata-X-Zitadel-Orgid"]; len(more) > 0 {
		orgs := header["X-Zitadel-Orgid"]
		header["X-Zitadel-Orgid"] = append(orgs[:len(orgs):len(orgs)], more...)
	}
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
			return "", &apiError{reason: unknownOrganization}
		}
		named = value
	}
	return named, nil
}

// userKey names a user of the configured issuer to the store.
func (s *Server) userKey(id string) storage.UserKey {
	return storage.UserKey{Issuer: s.config.Issuer, ID: id}
}
