//go:build failpoints

package cluster

import (
	_ "embed"

	"example.org/avatard/storage/cluster/internal/hooks"
)

//go:embed schema/next.sql
var nextSchema string

// A build for proofs is the next release when the variable NEXT_SCHEMA says so.
func init() {
	if hooks.NextSchema() {
		migrations = append(migrations, nextSchema)
	}
}
