package hooks

// Wrong orders of steps, each of which would make a 200 a lie.
const (
	// BytesLater puts an erasure on record and answers before the bytes are overwritten: a later group commit does that.
	BytesLater = "bytes-later"
	// EarlyAnswer answers before the sync that makes the zeros durable. Only lost power shows it: a process that
	// is killed loses nothing it has written.
	EarlyAnswer = "early-answer"
	// EarlyReuse gives a slot away with the intent, before the erasure of what is in it is done and on record.
	EarlyReuse = "early-reuse"
	// EarlyTrim gives space back too early: that of a picture with the intent, before it is durable, and that of a region before
	// the metadata has forgotten it.
	EarlyTrim = "early-trim"
)

// WrongOrders are the values that the variable WRONG_ORDER may have; empty means the right order.
var WrongOrders = []string{BytesLater, EarlyAnswer, EarlyReuse, EarlyTrim}
