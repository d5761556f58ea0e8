package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"example.org/avatard/authz"
	"example.org/avatard/server/webhook"
	"example.org/avatard/storage"
)

// Hook is a sender of account events. They come in at POST /hooks/ and the name of the hook.
type Hook struct {
	// Name is 1 to 64 lower-case letters, digits and hyphens, unlike that of any other hook.
	Name string
	// Scheme is how the sender signs and words its events.
	Scheme webhook.Scheme
	// Secrets returns those that count now. It is called for each event, by several goroutines at once. Required.
	Secrets func() []webhook.Secret
	// Organizations are those of which events are taken, and of no other. Required.
	Organizations []string
}

// hookPrefix is where the paths of hooks begin.
const hookPrefix = "/hooks/"

// maxHookName bounds the name of a hook, in bytes.
const maxHookName = 64

// CheckHookName returns what is wrong with the name of a hook.
func CheckHookName(name string) error {
	outside := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if name == "" || len(name) > maxHookName || slices.ContainsFunc([]rune(name), outside) {
		return fmt.Errorf("%q is no name of a hook; expected 1 to %d lower-case letters, digits and hyphens", name, maxHookName)
	}
	return nil
}

// checkHooks returns the faults of a configuration's hooks.
func (c *Config) checkHooks() (faults []error) {
	for i, h := range c.Hooks {
		if err := CheckHookName(h.Name); err != nil {
			faults = append(faults, fmt.Errorf("server: Hooks: %w", err))
		}
		if slices.ContainsFunc(c.Hooks[:i], func(other Hook) bool { return other.Name == h.Name }) {
			faults = append(faults, fmt.Errorf("server: Hooks: %s is there twice", h.Name))
		}
		if h.Secrets == nil || len(h.Organizations) == 0 {
			faults = append(faults, fmt.Errorf("server: Hooks: %s needs Secrets and Organizations", h.Name))
		}
	}
	return faults
}

// hookRoute serves one hook.
type hookRoute struct {
	*Server
	Hook
	memory *hookMemory
}

func newHookRoute(s *Server, h Hook) *hookRoute {
	return &hookRoute{Server: s, Hook: h, memory: newHookMemory()}
}

// caller is how records and the log name the sender.
func (h *hookRoute) caller() string { return "hook " + h.Name }

// serve answers one message. What cannot be proven to be the sender's is recorded apart from what the sender was refused.
func (h *hookRoute) serve(w http.ResponseWriter, r *http.Request, _ []string) error {
	c := callOf(r.Context())
	event, sig, err := h.receive(w, r)
	if err != nil {
		h.recordUnproven(c, err)
		return err
	}
	answer, err := h.take(r.Context(), event, sig)
	if err != nil {
		return err
	}
	return answer.write(w)
}

// receive reads a message. It does the same for every message until the signature has proven to be the sender's, and decides what it can
// before the body is read.
func (h *hookRoute) receive(w http.ResponseWriter, r *http.Request) (e webhook.Event, sig webhook.Signature, err error) {
	if sig, err = webhook.ReadSignature(h.Scheme, r.Header, h.config.Now()); err != nil {
		return e, sig, &apiError{reason: hookUnsigned, cause: err}
	}
	if r.ContentLength > webhook.MaxBodyBytes {
		return e, sig, &apiError{reason: messageTooLarge}
	}
	body, err := io.ReadAll(http.MaxBytesReader(innermost(w), r.Body, webhook.MaxBodyBytes))
	if err != nil {
		return e, sig, &apiError{reason: bodyReason(r.Context(), err)}
	}
	if !sig.SignedBy(h.Secrets(), body) {
		return e, sig, &apiError{reason: hookUnsigned, cause: errOtherSecret}
	}
	c := callOf(r.Context())
	c.caller, c.identified = authz.Identity{Subject: h.caller()}, true
	if e, err = webhook.ParseEvent(h.Scheme, sig, body); err != nil {
		return e, sig, &apiError{reason: hookBody, message: err.Error()} // its text is meant for the sender
	}
	return e, sig, nil
}

// errOtherSecret is for the log.
var errOtherSecret = errors.New("no secret of the hook has signed this")

// recordUnproven puts a message on record that nobody is proven to have sent.
func (h *hookRoute) recordUnproven(c *call, err error) {
	f, ok := errors.AsType[*apiError](err)
	if c.identified || !ok || f.reason != hookUnsigned && f.reason != messageTooLarge {
		return
	}
	by := c.origin()
	by.Caller = h.caller() + ", not proven"
	h.unproven.add(storage.Refusal{By: by, Action: c.action, Reason: errorTable[f.reason].outcome()})
}
