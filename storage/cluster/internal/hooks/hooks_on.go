//go:build failpoints

package hooks

import (
	"os"
	"slices"
)

// On tells whether the program was built with the tag.
const On = true

//nolint:forbidigo // not a setting: it is read before anything is opened, and only in builds for proofs
var wrong = readStep(os.Getenv("WRONG_STEP"))

func readStep(name string) string {
	if name == "" || slices.Contains(WrongSteps, name) {
		return name
	}
	panic("WRONG_STEP: no such step: " + name)
}

// Wrong reports whether a step is to be wrong.
func Wrong(step string) bool { return step == wrong }

// NextSchema reports whether the program is to be one that knows a newer schema.
func NextSchema() bool {
	return os.Getenv("NEXT_SCHEMA") != "" //nolint:forbidigo // as above
}
