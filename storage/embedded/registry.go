package embedded

import (
	"sync"

	"example.org/avatard/storage"
)

// registry keeps the registered organisations and issuers in memory: they are few, and every request asks for one.
type registry struct {
	mu            sync.RWMutex
	organizations map[string]struct{}
	issuers       map[string]int64
	lastIssuer    int64                      // the largest number
	moves         []storage.IssuerMoveRecord // all of them, in their order
}

// registryChanges are the names that a transaction adds, removes, or gives another number.
type registryChanges struct {
	organizations map[string]bool  // false for one that was removed
	issuers       map[string]int64 // 0 for one that was removed
	moves         []storage.IssuerMoveRecord
}

func (n *registry) add(a registryChanges) {
	if len(a.organizations) == 0 && len(a.issuers) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for org, there := range a.organizations {
		if n.organizations[org] = struct{}{}; !there {
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

func (n *registry) hasOrganization(org string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	_, ok := n.organizations[org]
	return ok
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

// hasOrganization reports whether org is registered, the transaction included.
func (r *groupCommit) hasOrganization(org string) bool {
	if there, ok := r.added.organizations[org]; ok {
		return there
	}
	return r.s.registry.hasOrganization(org)
}

// addOrganization registers org in the transaction, unless it is there.
func (r *groupCommit) addOrganization(org string) (made bool, err error) {
	if r.hasOrganization(org) {
		return false, nil
	}
	if err := r.db.run(sqlAddOrganization, org, r.now); err != nil {
		return false, err
	}
	r.nameOrganization(org, true)
	return true, nil
}

// nameOrganization notes whether an organisation is registered once the transaction is durable.
func (r *groupCommit) nameOrganization(org string, there bool) {
	if r.added.organizations == nil {
		r.added.organizations = make(map[string]bool)
	}
	r.added.organizations[org] = there
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
