package authz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// Operations at the provider, by the names that log lines and metrics give them.
const (
	operationDiscovery     = "discovery"
	operationIntrospection = "introspection"
	operationPermissions   = "permissions"
	operationHome          = "organisation"
	operationUser          = "user"
)

// providerClient is what every question to the provider needs.
type providerClient struct {
	client      *http.Client
	timeout     time.Duration
	now         func() time.Time
	concurrency concurrencyLimit
	log         *slog.Logger
	overload    *overloadLog
	// observer is nil when there are no metrics.
	observer Observer
}

// operation is one kind of question. Each has a circuit breaker of its own: one that fails says little about the others, and unknown
// tokens must not be able to open the circuit for known ones.
type operation struct {
	name       string
	priority   priority
	breaker    lockedBreaker
	perToken   perTokenLimit
	failureLog *failureLog
	// failed is nil for an operation without a token.
	failed *failedQuestions
	// sibling is nil or the same operation for other tokens: an answer here closes the circuit there, too.
	sibling *operation
}

func (c *providerClient) newOperation(name string, priority priority, log *failureLog, failed *failedQuestions) *operation {
	return &operation{
		name: name, priority: priority, breaker: lockedBreaker{now: c.now},
		perToken:   perTokenLimit{semaphores: make(map[cacheKey]*tokenSemaphore)},
		failureLog: log, failed: failed,
	}
}

// questionKeys name what a question is about: the token, and the token with all else that the answer depends on. Zero = no token.
type questionKeys struct {
	token, question cacheKey
}

// do asks one question as soon as the limits admit it, unless the circuit is open. It waits until the deadline at most. A question that
// ends with the caller's context does not count as a failure of the provider, and neither does one for which there was no capacity or
// time left; every other error comes back as ErrUnavailable with the operation and the kind of failure, and is logged.
func do[V any](caller context.Context, c *providerClient, op *operation, keys questionKeys, deadline time.Time, call func(context.Context) (V, error)) (v V, err error) {
	permit, err := op.breaker.allow(keys.token)
	if err != nil {
		c.observe(op.name, QuestionCircuitOpen, 0)
		return v, err
	}
	ctx, cancel := context.WithDeadline(caller, deadline)
	defer cancel()
	began := time.Now()
	started := began // or later, when it had to wait for capacity
	defer func() {
		panicked := recover()
		took := time.Since(began)
		if panicked == nil && contextError(caller) == nil && failureKindOf(err) == noAnswerInTime && took < 2*started.Sub(began) {
			err = errNoCapacity // the time went by before the provider was asked
		}
		result := resultOf(caller, err, panicked, time.Since(started) >= c.timeout/2)
		c.recordResult(op, permit, keys, result, err)
		if panicked == nil && contextError(caller) == nil && errors.Is(err, errNoCapacity) {
			err = c.rejectOverload(op.name, op.priority == lowPriority)
			return
		}
		c.observe(op.name, outcomeOf(err, panicked, contextError(caller) != nil), took)
		if err == nil || contextError(caller) == nil || panicked != nil {
			err = c.logResult(op, panicked, err)
		}
	}()
	if keys.token != (cacheKey{}) {
		if err := op.perToken.acquire(ctx, keys.token); err != nil {
			return v, err
		}
		defer op.perToken.release(keys.token)
	}
	if err := c.concurrency.acquire(ctx, op.priority); err != nil {
		return v, err
	}
	defer c.concurrency.release(op.priority)
	started = time.Now()
	return call(ctx)
}

// failedBefore returns an error that says when to try again when a question has failed a moment ago. shared tells that
// callers share the answer.
func (c *providerClient) failedBefore(op *operation, question cacheKey, shared bool) error {
	err := op.failed.check(question, shared)
	if err != nil {
		c.observe(op.name, QuestionFailedBefore, 0)
	}
	return err
}

// recordResult counts the result of a question.
func (c *providerClient) recordResult(op *operation, p permit, keys questionKeys, result result, err error) {
	if openFor := op.breaker.done(p, result); openFor > 0 {
		c.log.Warn("identity provider is left alone", "step", op.name, "for", openFor)
	}
	switch result {
	case resultIgnored, resultUnreachable: // nothing about the token
		return
	case resultSuccess:
		if op.sibling != nil {
			op.sibling.breaker.succeed()
		}
	}
	if result != resultSuccess && err == nil { // a panic
		err = ErrUnavailable
	}
	op.failed.note(keys.question, err)
}

// resultOf returns what the end of a question says about the provider. hadTime tells that the question had a fair share of the
// time-out; the flight of discovery that it joined may have taken nearly all of it.
func resultOf(caller context.Context, err error, panicked any, hadTime bool) result {
	if panicked != nil {
		return resultFailure
	}
	if err == nil {
		return resultSuccess
	}
	if status, ok := errors.AsType[statusError](err); ok && status.isRefusal() {
		return resultSuccess
	}
	switch {
	case contextError(caller) != nil, errors.Is(err, errNoCapacity):
		return resultIgnored
	case isUnusable(err):
		return resultUnusable
	case failureKind(err) == noAnswerInTime:
		if hadTime {
			return resultTimeout
		}
		return resultIgnored
	case isUnreachable(err):
		return resultUnreachable
	}
	return resultFailure
}

// logResult logs how an operation ended and turns a failure into ErrUnavailable with the operation and the kind of failure.
// A panic, which could only be a fault of ours or of the library, must not end the process from a goroutine that
// belongs to no request; its value may quote an answer and is not logged.
func (c *providerClient) logResult(op *operation, panicked any, err error) error {
	var kind string
	switch {
	case panicked != nil:
		kind = "panic"
		c.log.Error("panic while asking the identity provider", "step", op.name,
			"type", fmt.Sprintf("%T", panicked), "stack", string(debug.Stack()))
	case err == nil:
		op.failureLog.recordSuccess(op.name)
		return nil
	default:
		kind = failureKind(err)
	}
	op.failureLog.recordFailure(op.name, kind)
	return fmt.Errorf("%w: %s: %s", ErrUnavailable, op.name, kind)
}

// waitError turns the end of a wait for the provider into the caller's error: ErrUnavailable, or the error of the caller's
// own context.
func (c *providerClient) waitError(ctx context.Context, op *operation, err error) error {
	if errors.Is(err, errTooManyFlights) {
		err = c.rejectOverload(op.name, op.priority == lowPriority)
	}
	switch {
	case err == nil:
		return nil
	case contextError(ctx) != nil:
		return contextError(ctx)
	case errors.Is(err, ErrUnavailable):
		return err
	}
	return fmt.Errorf("%w: no answer within %v", ErrUnavailable, c.timeout)
}

// contextError returns the error of a context that is over. A network deadline taken from a context can fire a moment before
// the context itself, so the time counts too.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
