package embedded

// Wrong orders of steps, each of which would make a 200 a lie. The proofs of the guarantee run against builds that have
// them (build tag wrongorder) and have to notice; a proof that notices nothing is blind.
const (
	// orderBytesLater puts an erasure on record and answers before the bytes are overwritten.
	orderBytesLater = "bytes-later"
	// orderEarlyAnswer answers before the sync that makes the zeros durable.
	orderEarlyAnswer = "early-answer"
	// orderEarlyReuse gives a slot away before the erasure of what was in it is on record.
	orderEarlyReuse = "early-reuse"
)
