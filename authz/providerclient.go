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

// Steps of a look-up, as they are called in the log.
const (
	operationDiscovery     = "discovery"
	operationIntrospection = "introspection"
	operationPermissions   = "permissions"
	operationHome          = "organisation"
)

// asker is what asking the provider takes, whatever the question.
type providerClient struct {
	client      *http.Client
	timeout     time.Duration
	now         func() time.Time
	concurrency concurrencyLimit
	log         *slog.Logger
	overload    *overloadLog
	// observer is nil when nobody wants to know.
	observer Observer
}

// step is one kind of question. Each has a breaker of its own: one that fails says little about the others, and tokens
// that nobody knows must not be able to end the asking about those that are known.
type operation struct {
	name       string
	priority   priority
	breaker    lockedBreaker
	perToken   perTokenLimit
	failureLog *failureLog
	// failed is nil for questions that are about no token.
	failed *failedQuestions
	// also is nil or a step with the same question about other tokens: what is answered here shows that the provider is
	// there for those, too.
	sibling *operation
}

func (c *providerClient) newOperation(name string, priority priority, log *failureLog, failed *failedQuestions) *operation {
	return &operation{name: name, priority: priority, breaker: lockedBreaker{now: c.now}, perToken: perTokenLimit{semaphores: make(map[cacheKey]*tokenSemaphore)}, failureLog: log, failed: failed}
}

// subject is what a question is about: the token, and that together with all else that the answer depends on. Zero = no token.
type questionKeys struct {
	token, question cacheKey
}

// ask runs one question as soon as there is a place for it, unless the provider is left alone. It waits until the deadline
// at most. What ends with the caller's context is no failure of the provider and not reported as one, nor is that others took
// the places or the time; every other error comes back as ErrUnavailable with the step and the kind of failure, and is logged.
func do[V any](caller context.Context, c *providerClient, op *operation, keys questionKeys, deadline time.Time, call func(context.Context) (V, error)) (v V, err error) {
	permit, err := op.breaker.allow(keys.token)
	if err != nil {
		c.observe(op.name, QuestionCircuitOpen, 0)
		return v, err
	}
	ctx, cancel := context.WithDeadline(caller, deadline)
	defer cancel()
	began := time.Now()
	started := began // or later, when it had to wait for a place
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

// failedBefore returns an error that says when to try again for a question that has failed a moment ago. shared tells that
// callers share the answer.
func (c *providerClient) failedBefore(op *operation, question cacheKey, shared bool) error {
	err := op.failed.check(question, shared)
	if err != nil {
		c.observe(op.name, QuestionFailedBefore, 0)
	}
	return err
}

// learn takes in how a question ended.
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

// endingOf tells what the end of a question says about the provider. long tells that it had a fair share of the
// time-out; a caller who joined the end of another's may have had next to nothing.
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

// report logs how a step ended and turns what went wrong into ErrUnavailable with the step and the kind of failure.
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

// waited turns the end of a wait for the provider into what the caller is told: ErrUnavailable, or the error of their
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

// ended returns the error of a context that is over. A network deadline taken from a context can fire a moment before
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
