// Package webhook reads account events that a sender signs: users and organisations that were removed at the provider.
//
//	signature.go   the header fields ─► Signature, which is current; then the body ─► whether a secret has signed it
//	secret.go      the text of a file ─► secrets
//	event.go       the body ─► Event, by one of two schemes
//	jsonobject.go  JSON of a stranger ─► an object that has one meaning only
//
// The package opens nothing, remembers nothing and has no clock. Package server decides which events a sender may send, and what they do.
package webhook

import "time"

// Scheme says how a sender signs and words its events.
type Scheme uint8

// The schemes.
const (
	// Standard is Standard Webhooks 1.0.0 with symmetric signatures, and events as docs/hooks.md has them.
	Standard Scheme = iota
	// Zitadel is what ZITADEL's Actions v2 send for events, with the payload type JSON.
	Zitadel
)

// Tolerance is how far the time of a signature may be from the receiver's clock, both ways.
const Tolerance = 5 * time.Minute

// MaxBodyBytes bounds the body of an event.
const MaxBodyBytes = 64 << 10
