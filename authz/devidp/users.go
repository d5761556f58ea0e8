package devidp

import (
	"net/http"
	"slices"
	"strings"
)

// userPath is the call by which ZITADEL shows a user of an organisation to those who may read its users.
const userPath = "/management/v1/users/{id}"

// showUser answers for the organisation of the header x-zitadel-orgid or the bearer's own, with as much of a user as says who and of
// which kind it is.
func (p *Provider) showUser(w http.ResponseWriter, r *http.Request) {
	caller, ok := p.bearer(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, 16, "AUTH-7fs1e", "the token is not valid")
		return
	}
	org, known := p.organizationOf(r, caller)
	if !known {
		refuse(w, http.StatusForbidden, 7, "AUTH-Bs7Ds", "there is no such organisation")
		return
	}
	allowed := p.cfg.Permissions.of(caller, org)
	switch {
	case len(allowed) == 0:
		refuse(w, http.StatusNotFound, 5, "AUTHZ-cdgFk", "no membership there")
		return
	case !slices.Contains(allowed, "user.read"):
		refuse(w, http.StatusForbidden, 7, "AUTH-AWfge", "no permission to read users")
		return
	}
	account, ok := p.accounts[r.PathValue("id")]
	if !ok || account.Organization != org {
		refuse(w, http.StatusNotFound, 5, "QUERY-Dfbg2", "there is no such user")
		return
	}
	kind := "human"
	if slices.ContainsFunc(p.cfg.Machines, func(machine Account) bool { return machine.ID == account.ID }) {
		kind = "machine"
	}
	answerJSON(w, http.StatusOK, map[string]any{"user": map[string]any{
		"id": account.ID, "userName": account.Login, "state": "USER_STATE_ACTIVE", kind: map[string]any{},
		"details": map[string]string{"sequence": "1", "resourceOwner": account.Organization},
	}})
}

// organizationOf returns the organisation that a request is about: that of the header x-zitadel-orgid or the caller's own.
func (p *Provider) organizationOf(r *http.Request, caller Account) (org string, known bool) {
	org = caller.Organization
	if named := strings.Trim(r.Header.Get("X-Zitadel-Orgid"), " \t"); named != "" {
		org = named
	}
	_, known = p.organizations[org]
	return org, known
}
