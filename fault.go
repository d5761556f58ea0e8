package main

import (
	"fmt"
	"strings"
)

// fault is one thing that is wrong with a configuration.
type fault struct {
	where   string // the setting as it was given: key, flag or variable, with line where there is one
	problem string // what is wrong; what is expected
}

// configError holds every fault of a configuration, so that one look is enough to mend them all.
type configError struct{ faults []fault }

func (e *configError) Error() string {
	var b strings.Builder
	if len(e.faults) == 1 {
		b.WriteString("the configuration has a fault:")
	} else {
		fmt.Fprintf(&b, "the configuration has %d faults:", len(e.faults))
	}
	for _, f := range e.faults {
		fmt.Fprintf(&b, "\n  %s: %s", f.where, f.problem)
	}
	return b.String()
}
