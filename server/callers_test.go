package server

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"example.org/avatard/authz"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
)

// admission is who gets into an endpoint.
type admission string

const (
	anybody admission = "everybody"
	known   admission = "everybody with a token, on their own user"
	readers admission = "the user, and those with user.read"
)

// admissions has a row for everything that is served. A procedure stands for the REST routes that are bound to it, too.
var admissions = map[string]admission{
	"/zitadel.management.v1.ManagementService/RemoveHumanAvatar": admission(authz.UserWrite),
	"/zitadel.auth.v1.AuthService/RemoveMyAvatar":                known,
	"/avatard.v1.ErasureService/EraseUser":                       admission(authz.UserDelete),
	"/avatard.v1.ErasureService/EraseOrganization":               admission(authz.OrgDelete),
	"/avatard.v1.ErasureService/GetReceipt":                      admission(authz.UserRead),
	"/avatard.v1.ErasureService/ListReceipts":                    admission(authz.UserRead),
	"/avatard.v1.ErasureService/GetReceiptLog":                   admission(authz.UserRead),
	"/avatard.v1.UserService/GetUser":                            admission(authz.UserRead),
	"/avatard.v1.UserService/ListUsers":                          admission(authz.UserRead),

	"POST /management/v1/users/{user_id}/avatar":     admission(authz.UserWrite),
	"POST /assets/v1/users/me/avatar":                known,
	"GET /assets/v1/users/me/avatar":                 known,
	"GET /assets/v1/{org_id}/users/{user_id}/avatar": readers,
	"GET /healthz":                 anybody,
	"GET /readyz":                  anybody,
	"GET /openapi.json":            anybody,
	"GET /openapi.yaml":            anybody,
	"GET /api.binpb":               anybody,
	"GET /api.zip":                 anybody,
	"GET /docs":                    anybody,
	"GET /callback":                anybody,
	"GET /web/{file}":              anybody,
	"/grpc.health.v1.Health/Check": anybody,
	"/grpc.health.v1.Health/Watch": anybody,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      anybody,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": anybody,
}

// admitted says what each caller of the development provider may do, in acme and in globex. Callers who are not in a list are told that they have no role there.
var admitted = map[string]struct{ acme, globex []authz.Permission }{
	"TOKEN_ADMIN":        {everything, everything},
	"TOKEN_MANAGER":      {[]authz.Permission{authz.UserRead, authz.UserWrite, authz.UserDelete}, nil},
	"TOKEN_VIEWER":       {[]authz.Permission{authz.UserRead}, nil},
	"TOKEN_NOBODY":       {nil, nil},
	"TOKEN_ALICE":        {nil, nil},
	"TOKEN_GLOBEX_OWNER": {nil, everything},
	"TOKEN_GLOBEX_ADMIN": {nil, everything},
}

var everything = []authz.Permission{authz.UserRead, authz.UserWrite, authz.UserDelete, authz.OrgDelete}

// unknownCallers are those whose token is none.
var unknownCallers = map[string]string{
	"TOKEN_EXPIRED": "AUTH-7fs1e", "TOKEN_REVOKED": "AUTH-7fs1e", "TOKEN_WRONG_AUDIENCE": "AUTH-7fs1e", "TOKEN_OTHER_AUDIENCE": "AUTH-7fs1e", "": "unauthenticated",
}

// want is what a caller is answered: "ok", or the id of the error.
func (a admission) want(caller, org string) string {
	if a == anybody {
		return "ok"
	}
	if id, unknown := unknownCallers[caller]; unknown {
		return id
	}
	may := admitted[caller].acme
	if org == devidp.OrgGlobex {
		may = admitted[caller].globex
	}
	switch need := authz.Permission(a); {
	case a == known, a == readers && caller == "TOKEN_ALICE" && org == devidp.OrgAcme:
		return "ok"
	case len(may) == 0:
		return "AUTHZ-cdgFk"
	case a == readers && slices.Contains(may, authz.UserRead), slices.Contains(may, need):
		return "ok"
	}
	return "AUTH-5mWD2"
}

// Every endpoint lets in each caller of the development provider in each of two organisations, or refuses them, as the table says: over REST,
// and a procedure over gRPC and Connect, too. An endpoint without a row fails, and so does a caller.
func TestEveryCallerOfEverything(t *testing.T) {
	s := startDevelopment(t)
	callers := slices.Sorted(maps.Keys(s.provider.Tokens))
	served := map[string]bool{}
	for name, e := range s.server.endpoints() {
		if served[name] { // a procedure and its route
			continue
		}
		served[name] = true
		who, listed := admissions[name]
		if !listed {
			t.Errorf("%s has no row in the table of admissions", name)
			continue
		}
		for _, caller := range append(callers, "") {
			for _, org := range []string{devidp.OrgAcme, devidp.OrgGlobex} {
				for form, got := range s.call(t, name, e, caller, org) {
					if want := who.want(caller, org); got != want {
						t.Errorf("%s over %s by %q in %s = %s, want %s (%s)", name, form, caller, org, got, want, who)
					}
				}
			}
		}
	}
	for name := range admissions {
		if !served[name] {
			t.Errorf("%s has a row in the table of admissions, and is not served", name)
		}
	}
	for _, caller := range callers {
		_, unknown := unknownCallers[caller]
		if _, listed := admitted[caller]; listed == unknown {
			t.Errorf("%s has no row in the table of callers", caller)
		}
	}
}

// call calls an endpoint in all ways that differ, and returns the outcome of each.
func (s *development) call(t *testing.T, name string, e *endpoint, caller, org string) map[string]string {
	t.Helper()
	header := http.Header{"X-Zitadel-Orgid": {org}}
	if caller != "" {
		header.Set("Authorization", "Bearer "+s.provider.Tokens[caller])
	}
	target := s.target(org)
	if method := s.methods[name]; method != nil {
		outcomes := map[string]string{}
		for _, form := range []client.Form{client.REST, client.GRPC, client.ConnectJSON} {
			s.prepare(t)
			answer, _ := s.client.Invoke(t.Context(), form, header, method, s.request(method, org))
			outcomes[string(form)] = outcomeOf(answer)
		}
		return outcomes
	}
	if e.rule.open && strings.HasPrefix(name, "/") { // health and reflection: each answers everybody in the same way
		return map[string]string{"connect": s.open(t, name, header)}
	}
	if !e.rule.open {
		s.prepare(t)
	}
	verb, path, _ := strings.Cut(name, " ")
	path = strings.NewReplacer("{org_id}", org, "{user_id}", target, "{file}", "docs.js").Replace(path)
	if verb == http.MethodPost {
		body, media := client.UploadForm(picture.Sample(5, 2000))
		header.Set("Content-Type", media)
		return map[string]string{"rest": outcomeOf(s.client.Do(t.Context(), verb, path, header, body))}
	}
	return map[string]string{"rest": outcomeOf(s.client.Do(t.Context(), verb, path, header, nil))}
}

// request fills a request by the names of its fields.
func (s *development) request(method protoreflect.MethodDescriptor, org string) *dynamicpb.Message {
	request := dynamicpb.NewMessage(method.Input())
	values := map[protoreflect.Name]string{"organization_id": org, "receipt_id": s.receipts[org]}
	if method.Name() != "ListReceipts" { // in whose request it is a filter
		values["user_id"] = s.target(org)
	}
	for i := range method.Input().Fields().Len() {
		if field := method.Input().Fields().Get(i); values[field.Name()] != "" {
			request.Set(field, protoreflect.ValueOfString(values[field.Name()]))
		}
	}
	return request
}

// open calls a procedure that everybody may call, and returns "ok" if the answer is that of a procedure that looked at its request.
func (s *development) open(t *testing.T, name string, header http.Header) string {
	t.Helper()
	header = header.Clone()
	header.Set("Content-Type", "application/json")
	answer := s.client.Do(t.Context(), http.MethodPost, name, header, []byte("{}"))
	if unauthorized := answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden; unauthorized {
		return fmt.Sprint(answer)
	}
	return "ok"
}

func outcomeOf(a client.Answer) string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.Detail.GetId() != "":
		return a.Detail.GetId()
	case a.Code != 0:
		return a.Code.String()
	}
	return "ok"
}
