package authz

import (
	"errors"
	"fmt"
	"time"
)

// ErrRateLimited: too many tokens that are not known have come, from one address or in all; the provider was not asked about this
// one. It is an ErrUnavailable too.
var ErrRateLimited = fmt.Errorf("%w: too many unknown tokens", ErrUnavailable)

// errOverloaded: too many questions about known tokens were under way for one more to be asked in time.
var errOverloaded = fmt.Errorf("%w: too many questions at once", ErrUnavailable)

// errCircuitOpen: the provider has failed again and again and is not asked for a moment.
var errCircuitOpen = fmt.Errorf("%w: failing, not asked for a moment", ErrUnavailable)

// errFailedBefore: the provider has failed twice in a row for this token, and a moment ago.
var errFailedBefore = fmt.Errorf("%w: failing for this token, not asked for a moment", ErrUnavailable)

// retryError is an error with the time after which asking again makes sense.
type retryError struct {
	cause error
	after time.Duration
}

func (e *retryError) Error() string { return e.cause.Error() }
func (e *retryError) Unwrap() error { return e.cause }

// RetryAfter returns how long to wait before the call that ended with err has a chance; 0 = unknown.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*retryError](err); ok {
		return e.after
	}
	return 0
}
