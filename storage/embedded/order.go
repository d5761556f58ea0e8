package embedded

// Wrong orders of steps, each of which would make a 200 a lie. The proofs of the guarantee run against builds that have
// them (build tag wrongorder) and have to notice; a proof that notices nothing is blind.
const (
	// orderBytesLater puts an erasure on record and answers before the bytes are overwritten: a later round does that.
	orderBytesLater = "bytes-later"
	// orderEarlyAnswer answers before the sync that makes the zeros durable. Only lost power shows it: a process that
	// is killed loses nothing it has written.
	orderEarlyAnswer = "early-answer"
	// orderEarlyReuse gives a slot away with the intent, before the erasure of what is in it is done and on record.
	orderEarlyReuse = "early-reuse"
	// orderEarlyTrim gives space back too early: that of a picture with the intent, before it is durable, and that of a region before
	// the metadata has forgotten it.
	orderEarlyTrim = "early-trim"
)

// WrongOrders are the values that the variable WRONG_ORDER may have in such a build; empty means the right order.
var WrongOrders = []string{orderBytesLater, orderEarlyAnswer, orderEarlyReuse, orderEarlyTrim}
