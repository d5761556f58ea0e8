package authz

import "fmt"

// Bounds of one answer of the provider beside maxAnswerBytes. Reading a member costs microseconds, a byte nanoseconds.
const (
	// maxAnswerMembers bounds the members and elements of all objects and arrays together: a caller with a role in two
	// thousand organisations has that many.
	maxResponseMembers = 4096
	// maxAnswerDepth bounds how deep they are nested. Roles are three deep.
	maxResponseDepth = 16
)

var (
	errTooManyMembers = fmt.Errorf("answer of over %d members", maxResponseMembers)
	errTooDeep        = fmt.Errorf("answer nested over %d deep", maxResponseDepth)
)

// jsonBounds counts what a JSON text is made of while it arrives, so that a text over the bounds is neither read to its end
// nor decoded. It does not check that the text is JSON, which the decoder does.
type jsonBounds struct {
	commas, depth    int
	inString, escape bool
}

// take counts the next piece of the text.
func (b *jsonBounds) take(piece []byte) error {
	for _, c := range piece {
		switch {
		case b.escape:
			b.escape = false
		case b.inString:
			b.escape, b.inString = c == '\\', c != '"'
		case c == '"':
			b.inString = true
		case c == ',':
			if b.commas++; b.commas >= maxResponseMembers {
				return errTooManyMembers
			}
		case c == '{', c == '[':
			if b.depth++; b.depth > maxResponseDepth {
				return errTooDeep
			}
		case c == '}', c == ']':
			b.depth--
		}
	}
	return nil
}
