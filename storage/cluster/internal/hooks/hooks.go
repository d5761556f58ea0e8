// Package hooks lets the proofs of the guarantee reach into the engine. A program built with the tag failpoints takes one of the wrong steps
// that the variable WRONG_STEP names, each of which makes a 200 a lie; the proofs run against it and have to notice, since a proof
// that notices nothing is blind. With the variable NEXT_SCHEMA it is the next release, which knows one version more of the schema. Without the
// tag only the list of names is left.
package hooks

// Wrong steps.
const (
	// OneStatement makes intent and look one statement. What has waited for a lock sees the row as it is then, and the erasures as they
	// were before.
	OneStatement = "one-statement"
	// EngineContext runs the first step of a change on the engine's context, and tries it again while its caller has had an answer.
	EngineContext = "engine-context"
	// BlindLook answers a delete when no erasure is on record, whether there is a picture or an upload under way or not.
	BlindLook = "blind-look"
	// PlainDelete deletes objects without naming a version, and looks for names only.
	PlainDelete = "plain-delete"
	// ResentPut sends a PUT again whose answer did not come, as the library does by itself.
	ResentPut = "resent-put"
)

// WrongSteps are the values that the variable WRONG_STEP may have; empty means the right ones.
var WrongSteps = []string{OneStatement, EngineContext, BlindLook, PlainDelete, ResentPut}
