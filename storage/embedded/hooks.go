package embedded

import (
	"slices"

	"example.org/avatard/storage/embedded/internal/hooks"
)

// Failpoints returns the names of the failpoints that a process passes while its disk works and no command runs, see package hooks.
func Failpoints() []string { return slices.Clone(hooks.Failpoints) }

// CommandFailpoints returns the names of those that it passes only when a user moves or ends, or an organisation ends.
func CommandFailpoints() []string { return slices.Clone(hooks.CommandFailpoints) }

// WrongOrders returns the names of the wrong orders of steps, each of which a proof has to notice, see package hooks.
func WrongOrders() []string { return slices.Clone(hooks.WrongOrders) }

// failpointAt is the place of every kind of change that is in the batch.
func failpointAt(place string, batch []*request) {
	if !hooks.On {
		return
	}
	if len(batch) == 0 {
		hooks.Failpoint("record-" + place)
	}
	var passed []string
	for _, t := range batch {
		if place == "synced" && (t.err != nil || t.write == nil && len(t.erase) == 0) {
			continue // shares the group commit with others that had something to sync
		}
		if kind := kindOf(t); kind != "" && !slices.Contains(passed, kind) {
			passed = append(passed, kind)
			hooks.Failpoint(kind + "-" + place)
		}
	}
}

// failpointOf is a place of one change.
func failpointOf(place string, t *request) {
	if !hooks.On {
		return
	}
	if kind := kindOf(t); kind != "" {
		hooks.Failpoint(kind + "-" + place)
	}
}

// failpointAnswer is a place around the answer to a caller.
func failpointAnswer(place string, t *request) {
	if !hooks.On {
		return
	}
	kind := kindOf(t)
	if _, ok := t.op.(*put); ok {
		kind = "upload"
	}
	if kind != "" {
		hooks.Failpoint(kind + "-" + place)
	}
}

// kindOf returns the first word of the failpoints that a change passes. The questions and repairs of a check have none: "".
func kindOf(t *request) string {
	switch w := t.op.(type) {
	case *put:
		return [...]string{stageReserve: "reserve", stageActivate: "activate", stageAbandon: "abandon"}[w.stage]
	case *remove:
		return "remove"
	case *eraseUser:
		if w.erased {
			return "erase-user"
		}
		return "remove"
	case *endOrganization:
		return "end-organization"
	case *addUser, *addOrganization:
		return "register"
	case *moveUser:
		return "move"
	case *pruneStep:
		return "prune"
	case *indexStep:
		return "index"
	case *sealStep:
		return "seal"
	case *sweep:
		return "sweep"
	case *cutRegion:
		return "trim"
	case *quarantine:
		return "quarantine"
	}
	return ""
}
