package embedded

import (
	"maps"
	"slices"
	"sync"
)

// names keeps the registered organisations and issuers in memory: they are few, and every request asks for one.
type names struct {
	mu            sync.RWMutex
	organizations map[string]struct{}
	issuers       map[string]int64 // those that became another one included
	becomes       map[int64]int64  // which issuer one became
	lastIssuer    int64            // the largest number
	moves         int64            // of issuers, since the start
}

// namesAdded are those a transaction adds, or gives another number.
type namesAdded struct {
	organizations []string
	issuers       map[string]int64
	becomes       map[int64]int64
}

func (n *names) add(a namesAdded) {
	if len(a.organizations) == 0 && len(a.issuers) == 0 && len(a.becomes) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, org := range a.organizations {
		n.organizations[org] = struct{}{}
	}
	for url, iid := range a.issuers {
		n.issuers[url] = iid
		n.lastIssuer = max(n.lastIssuer, iid)
	}
	maps.Copy(n.becomes, a.becomes)
	n.moves += int64(len(a.becomes))
}

func (n *names) hasOrganization(org string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	_, ok := n.organizations[org]
	return ok
}

func (n *names) issuer(url string) (iid int64, ok bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	iid, ok = n.issuers[url]
	return iid, ok
}

// newestIssuer returns the largest number of an issuer.
func (n *names) newestIssuer() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.lastIssuer
}

// issuerMoves counts the moves of issuers since the start.
func (n *names) issuerMoves() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.moves
}

// became returns the issuer that one became, 0 for none.
func (n *names) became(iid int64) int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.becomes[iid]
}

// hasOrganization reports whether org is registered, the transaction included.
func (r *round) hasOrganization(org string) bool {
	return r.s.names.hasOrganization(org) || slices.Contains(r.added.organizations, org)
}

// addOrganization registers org in the transaction, unless it is there.
func (r *round) addOrganization(org string) (made bool, err error) {
	if r.hasOrganization(org) {
		return false, nil
	}
	if err := r.db.exec(sqlAddOrganization, org, r.now); err != nil {
		return false, err
	}
	r.added.organizations = append(r.added.organizations, org)
	return true, nil
}

// issuer returns the number of an issuer; 0 when it is unknown and add is not set.
func (r *round) issuer(url string, add bool) (int64, error) {
	if iid, ok := r.added.issuers[url]; ok { // first: the transaction may have moved it
		return iid, nil
	}
	if iid, ok := r.s.names.issuer(url); ok {
		return iid, nil
	}
	if !add {
		return 0, nil
	}
	iid := r.s.names.newestIssuer() + 1
	for _, added := range r.added.issuers {
		iid = max(iid, added+1)
	}
	if err := r.db.exec(sqlAddIssuer, iid, url); err != nil {
		return 0, err
	}
	r.nameIssuer(url, iid)
	return iid, nil
}

// nameIssuer notes what number an issuer has once the transaction is durable.
func (r *round) nameIssuer(url string, iid int64) {
	if r.added.issuers == nil {
		r.added.issuers = make(map[string]int64)
	}
	r.added.issuers[url] = iid
}
