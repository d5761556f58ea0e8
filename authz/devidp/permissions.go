package devidp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// permissionsPath is the call by which ZITADEL tells the bearer of a token what they may do in an organisation.
const permissionsPath = "/auth/v1/permissions/zitadel/me/_search"

// Permissions says what the roles of accounts allow. Names of permissions are ZITADEL's.
type Permissions struct {
	// Roles maps a role to what it allows in the organisation it is granted in.
	Roles map[string][]string
	// InstanceRoles maps a role to what it allows everywhere when it is granted in InstanceOrganization.
	InstanceRoles        map[string][]string
	InstanceOrganization string
}

// of returns what an account may do in an organisation, sorted.
func (p Permissions) of(account Account, org string) []string {
	var allowed []string
	for role, granted := range account.Roles {
		if slices.Contains(granted, org) {
			allowed = append(allowed, p.Roles[role]...)
		}
		if p.InstanceOrganization != "" && slices.Contains(granted, p.InstanceOrganization) {
			allowed = append(allowed, p.InstanceRoles[role]...)
		}
	}
	slices.Sort(allowed)
	return slices.Compact(allowed)
}

// searchPermissions answers for the bearer of a token, in the organisation of the header x-zitadel-orgid or their own.
// The answer to a user without permissions there is an empty object.
func (p *Provider) searchPermissions(w http.ResponseWriter, r *http.Request) {
	account, ok := p.bearer(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, 16, "AUTH-7fs1e", "the token is not valid")
		return
	}
	org, known := p.organizationOf(r, account)
	if !known {
		refuse(w, http.StatusForbidden, 7, "AUTH-Bs7Ds", "there is no such organisation")
		return
	}
	answerJSON(w, http.StatusOK, struct {
		Result []string `json:"result,omitempty"`
	}{p.cfg.Permissions.of(account, org)})
}

// myUserPath is the call by which ZITADEL tells the bearer of a token who they are.
const myUserPath = "/auth/v1/users/me"

// myUser answers with as much of the bearer's user as says where it belongs.
func (p *Provider) myUser(w http.ResponseWriter, r *http.Request) {
	account, ok := p.bearer(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, 16, "AUTH-7fs1e", "the token is not valid")
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"user": map[string]any{
		"id": account.ID, "userName": account.Login,
		"details": map[string]string{"sequence": "1", "resourceOwner": account.Organization},
	}})
}

// bearer returns the account behind the token of a request.
func (p *Provider) bearer(r *http.Request) (Account, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return Account{}, false
	}
	text, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok {
		return Account{}, false
	}
	plain, err := p.seal.Decrypt(text)
	if err != nil {
		return Account{}, false
	}
	id, subject, _ := strings.Cut(plain, ":")
	t, err := p.store.liveToken(id, subject)
	if err != nil {
		return Account{}, false
	}
	account, ok := p.accounts[t.subject]
	return account, ok
}

// refuse answers like ZITADEL's API: the number of a gRPC code, a message and a detail with an id.
func refuse(w http.ResponseWriter, status, code int, id, message string) {
	answerJSON(w, status, map[string]any{
		"code":    code,
		"message": fmt.Sprintf("%s (%s)", message, id),
		"details": []map[string]string{{"@type": "type.googleapis.com/zitadel.v1.ErrorDetail", "id": id, "message": message}},
	})
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller who has gone needs no answer
}
