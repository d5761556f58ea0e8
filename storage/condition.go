package storage

import "slices"

// AnyPicture stands in a [Condition] for every generation.
const AnyPicture = "*"

// Condition says what a user's picture has to be for a change to happen; the zero value demands nothing. An engine decides it in
// the transaction that makes the change, and when it does not hold, nothing changes: ErrConditionFailed, also for an upload that would
// have registered its user. The meaning is that of the header fields of those names (RFC 9110 sections 13.1.1 and 13.1.2).
type Condition struct {
	// IfMatch, unless it is empty, lists the generations one of which the picture must be. AnyPicture = there must be a picture.
	IfMatch []string
	// IfNoneMatch lists the generations none of which the picture may be. AnyPicture = there must be no picture.
	IfNoneMatch []string
}

// Holds reports whether a picture of that generation meets the condition, "" = there is no picture. One that is erased, or about to
// be, does not count as one.
func (c *Condition) Holds(generation string) bool {
	if len(c.IfMatch) > 0 && !names(c.IfMatch, generation) {
		return false
	}
	return !names(c.IfNoneMatch, generation)
}

// HoldsForRemoval is Holds for a removal. It also holds where the condition names generations and there is no picture any more: then the
// removal has had its effect (RFC 9110 section 13.1.1). So a removal can be repeated until it is answered, and resumes what was begun.
func (c *Condition) HoldsForRemoval(generation string) bool {
	if generation == "" && len(c.IfMatch) > 0 && !slices.Contains(c.IfMatch, AnyPicture) {
		return true
	}
	return c.Holds(generation)
}

// Empty reports whether nothing is demanded.
func (c *Condition) Empty() bool { return len(c.IfMatch) == 0 && len(c.IfNoneMatch) == 0 }

func names(generations []string, generation string) bool {
	return generation != "" && (slices.Contains(generations, generation) || slices.Contains(generations, AnyPicture))
}
