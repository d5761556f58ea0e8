package cluster

import (
	"slices"

	"example.org/avatard/storage/cluster/internal/hooks"
)

// WrongSteps returns the names of the wrong steps, each of which a proof has to notice, see package hooks.
func WrongSteps() []string { return slices.Clone(hooks.WrongSteps) }
