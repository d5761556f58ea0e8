package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Names of ZITADEL's claims. The role claim has the project's id between prefix and suffix. The claim of the same name
// without an id mixes the roles of all projects and is never read: anyone who may create a project could grant
// herself any role by name.
const (
	organizationClaim = "urn:zitadel:iam:user:resourceowner:id"
	rolesClaimPrefix  = "urn:zitadel:iam:org:project:"
	rolesClaimSuffix  = ":roles"
)

// errMalformedResponse: the provider answered with something else than an introspection response (RFC 7662 section 2.2).
var errMalformedResponse = errors.New("malformed answer")

// introspectionResponse is what the provider says of a token (RFC 7662 section 2.2), as far as it is used. Members that are absent or
// null are zero.
//
// It is flat on purpose: a type that embeds oidc.IntrospectionResponse inherits its UnmarshalJSON and stays empty.
type introspectionResponse struct {
	// read tells that UnmarshalJSON saw a whole response. Without it the other fields mean nothing.
	read      bool
	active    bool
	subject   string
	issuer    *string // nil when absent: a provider need not send it
	clientID  string
	audience  []string
	expires   int64 // Unix seconds, 0 when absent
	notBefore int64 // Unix seconds, 0 when absent
	kinds     []string
	keyBound  bool // a cnf member is there
	actors    []string
	members   map[string]json.RawMessage // all of an active response, for claims by their place
}

// UnmarshalJSON reads a response. Unlike encoding/json's rule for structs it takes names as they are spelled, refuses
// a name that occurs twice in any object (RFC 8259 section 4 leaves open which one counts) and refuses members of
// the wrong type. The members of an inactive response mean nothing and are not read (RFC 7662 section 2.2).
func (a *introspectionResponse) UnmarshalJSON(data []byte) error {
	*a = introspectionResponse{}
	members, err := object(data)
	if err != nil {
		return err
	}
	active, err := member[bool](members, "active")
	if err != nil {
		return err
	}
	if active == nil {
		return fmt.Errorf("%w: no member active", errMalformedResponse)
	}
	if !*active {
		a.read = true
		return nil
	}
	if err := a.readMembers(members); err != nil {
		return err
	}
	a.read, a.active = true, true
	return nil
}

func (a *introspectionResponse) readMembers(members map[string]json.RawMessage) (err error) {
	if a.issuer, err = member[string](members, "iss"); err != nil {
		return err
	}
	for name, to := range map[string]*string{"sub": &a.subject, "client_id": &a.clientID} {
		text, err := member[string](members, name)
		if err != nil {
			return err
		}
		if text != nil {
			*to = *text
		}
	}
	for _, name := range []string{"typ", "token_use", "token_type"} {
		kind, err := member[string](members, name)
		if err != nil {
			return err
		}
		if kind != nil {
			a.kinds = append(a.kinds, *kind)
		}
	}
	if a.expires, err = seconds(members, "exp"); err != nil {
		return err
	}
	if a.notBefore, err = seconds(members, "nbf"); err != nil {
		return err
	}
	if a.audience, err = oneOrMany(members, "aud"); err != nil {
		return err
	}
	confirmation, err := member[json.RawMessage](members, "cnf")
	if err != nil {
		return err
	}
	a.keyBound = confirmation != nil
	if a.actors, err = readActors(members); err != nil {
		return err
	}
	a.members = members
	return nil
}

// roles returns the roles of one project: role → organisations it was granted in, sorted. Organisation ids that are not valid
// are left out, since they cannot name an organisation on record.
func (a *introspectionResponse) roles(projectID string) (map[string][]string, error) {
	if projectID == "" {
		return nil, nil
	}
	grants, err := member[map[string]map[string]*string](a.members, rolesClaimPrefix+projectID+rolesClaimSuffix)
	if err != nil || grants == nil {
		return nil, err
	}
	roles := make(map[string][]string, len(*grants))
	for role, domains := range *grants {
		for org, domain := range domains {
			if domain == nil {
				return nil, fmt.Errorf("%w: role granted in an organisation without a domain", errMalformedResponse)
			}
			if !trustedID(org) {
				delete(domains, org)
			}
		}
		if len(domains) > 0 {
			roles[role] = slices.Sorted(maps.Keys(domains))
		}
	}
	return roles, nil
}

// member reads one member; nil when it is absent or null. The texts of its errors hold nothing of the value.
func member[T any](members map[string]json.RawMessage, name string) (*T, error) {
	raw, ok := members[name]
	if !ok {
		return nil, nil
	}
	var value *T
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, fmt.Errorf("%w: member of the wrong type", errMalformedResponse)
	}
	return value, nil
}

// seconds reads a time in Unix seconds; a fraction is cut off.
func seconds(members map[string]json.RawMessage, name string) (int64, error) {
	value, err := member[float64](members, name)
	if err != nil || value == nil {
		return 0, err
	}
	if math.Abs(*value) > 1<<53 {
		return 0, fmt.Errorf("%w: time out of range", errMalformedResponse)
	}
	return int64(math.Floor(*value)), nil
}

// oneOrMany reads a member that is a string or an array of strings (RFC 7519 section 4.1.3).
func oneOrMany(members map[string]json.RawMessage, name string) ([]string, error) {
	if one, err := member[string](members, name); err == nil {
		if one == nil {
			return nil, nil
		}
		return []string{*one}, nil
	}
	many, err := member[[]*string](members, name)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, text := range *many {
		if text == nil {
			return nil, fmt.Errorf("%w: member of the wrong type", errMalformedResponse)
		}
		texts = append(texts, *text)
	}
	return texts, nil
}

// object reads a JSON object that has no name twice, anywhere.
func object(text []byte) (map[string]json.RawMessage, error) {
	if !json.Valid(text) { // one whole value, and no deeper than encoding/json goes
		return nil, fmt.Errorf("%w: no JSON", errMalformedResponse)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := uniqueNames(dec); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%w: no object", errMalformedResponse)
	}
	return members, nil
}

// uniqueNames reads one value and refuses an object that has a name twice. The depth of its recursion is bounded by
// the check that encoding/json makes of the whole text first.
func uniqueNames(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("%w: no JSON", errMalformedResponse)
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := make(map[json.Token]bool)
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil || seen[name] {
				return fmt.Errorf("%w: a name twice", errMalformedResponse)
			}
			seen[name] = true
		}
		if err := uniqueNames(dec); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%w: no JSON", errMalformedResponse)
	}
	return nil
}
