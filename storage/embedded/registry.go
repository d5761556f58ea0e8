package embedded

import (
	"fmt"
	"sync"

	"example.org/avatard/storage"
)

// registry keeps organisations and issuers in memory: they are few, and every request asks for one. Of the organisations it has those that
// are registered, and those that have ended.
type registry struct {
	mu            sync.RWMutex
	organizations map[string]storage.RegistrationState
	issuers       map[string]int64
	lastIssuer    int64                      // the largest number
	moves         []storage.IssuerMoveRecord // all of them, in their order
}

// registryChanges are the names that a transaction adds or removes, or gives another state or number.
type registryChanges struct {
	organizations map[string]storage.RegistrationState
	issuers       map[string]int64 // 0 for one that was removed
	moves         []storage.IssuerMoveRecord
}

func (n *registry) add(a registryChanges) {
	if len(a.organizations) == 0 && len(a.issuers) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for org, state := range a.organizations {
		if n.organizations[org] = state; state == storage.Removed {
			delete(n.organizations, org)
		}
	}
	for url, iid := range a.issuers {
		if n.issuers[url] = iid; iid == 0 {
			delete(n.issuers, url)
		}
		n.lastIssuer = max(n.lastIssuer, iid)
	}
	n.moves = append(n.moves, a.moves...)
}

// organization returns the state of an organisation.
func (n *registry) organization(org string) storage.RegistrationState {
	n.mu.RLock()
	defer n.mu.RUnlock()
	state, known := n.organizations[org]
	if !known {
		return storage.Removed
	}
	return state
}

func (n *registry) issuer(url string) (iid int64, ok bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	iid, ok = n.issuers[url]
	return iid, ok
}

// newestIssuer returns the largest number of an issuer.
func (n *registry) newestIssuer() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.lastIssuer
}

// issuerMoves counts the moves of issuers.
func (n *registry) issuerMoves() int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return len(n.moves)
}

// movedTo returns the issuer to which the users of one were moved last, "" for none.
func (n *registry) movedTo(from string) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return lastMove(n.moves, from)
}

// organizationState returns the state of an organisation, the transaction included.
func (r *groupCommit) organizationState(org string) storage.RegistrationState {
	if state, ok := r.added.organizations[org]; ok {
		return state
	}
	return r.s.registry.organization(org)
}

// addOrganization registers org in the transaction, unless it is there. One that is ending or has ended needs readmits.
func (r *groupCommit) addOrganization(org string, readmits bool) (made bool, err error) {
	switch state := r.organizationState(org); {
	case state == storage.Registered:
		return false, nil
	case state.Refuses() && !readmits:
		return false, fmt.Errorf("%w: %q", storage.ErrOrganizationEnded, org)
	}
	if err := r.db.run(sqlAddOrganization, org, r.now); err != nil {
		return false, err
	}
	r.noteOrganization(org, storage.Registered)
	return true, nil
}

// setOrganization gives an organisation that is on record another state.
func (r *groupCommit) setOrganization(org string, state storage.RegistrationState) error {
	r.noteOrganization(org, state)
	return r.db.run(sqlSetOrganization, org, int64(state))
}

// noteOrganization notes the state that an organisation has once the transaction is durable.
func (r *groupCommit) noteOrganization(org string, state storage.RegistrationState) {
	if r.added.organizations == nil {
		r.added.organizations = make(map[string]storage.RegistrationState)
	}
	r.added.organizations[org] = state
}

// issuer returns the number of an issuer; 0 when it is unknown and add is not set.
func (r *groupCommit) issuer(url string, add bool) (int64, error) {
	iid, ok := r.added.issuers[url] // first: the transaction may have moved it
	if !ok {
		iid, _ = r.s.registry.issuer(url)
	}
	if iid != 0 || !add {
		return iid, nil
	}
	iid = r.s.registry.newestIssuer() + 1
	for _, added := range r.added.issuers {
		iid = max(iid, added+1)
	}
	if err := r.db.run(sqlAddIssuer, iid, url); err != nil {
		return 0, err
	}
	r.nameIssuer(url, iid)
	return iid, nil
}

// nameIssuer notes the number that an issuer has once the transaction is durable, 0 when it is removed.
func (r *groupCommit) nameIssuer(url string, iid int64) {
	if r.added.issuers == nil {
		r.added.issuers = make(map[string]int64)
	}
	r.added.issuers[url] = iid
}
