//go:build !failpoints

package embedded

// These do nothing and cost nothing.

func failpoint(string)                {}
func failpointAt(string, []*ticket)   {}
func failpointOf(string, *ticket)     {}
func failpointAnswer(string, *ticket) {}
