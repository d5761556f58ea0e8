package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Where   string // the setting as it was given: key, flag or variable, with line where there is one
	Problem string // what is wrong; what is expected
}

// Error holds every fault of a configuration, so that one look is enough to mend them all.
type Error struct{ Faults []Fault }

func (e *Error) Error() string {
	var b strings.Builder
	if len(e.Faults) == 1 {
		b.WriteString("the configuration has a fault:")
	} else {
		fmt.Fprintf(&b, "the configuration has %d faults:", len(e.Faults))
	}
	for _, f := range e.Faults {
		fmt.Fprintf(&b, "\n  %s: %s", f.Where, f.Problem)
	}
	return b.String()
}
