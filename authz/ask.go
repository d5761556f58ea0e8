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
	stepDiscovery     = "discovery"
	stepIntrospection = "introspection"
	stepPermissions   = "permissions"
	stepHome          = "organisation"
)

// asker is what asking the provider takes, whatever the question.
type asker struct {
	client  *http.Client
	timeout time.Duration
	now     func() time.Time
	places  places
	log     *slog.Logger
	crowd   *crowd
	// observer is nil when nobody wants to know.
	observer Observer
}

// step is one kind of question. Each has a breaker of its own: one that fails says little about the others, and tokens
// that nobody knows must not be able to end the asking about those that are known.
type step struct {
	name    string
	seat    seat
	breaker sharedBreaker
	tokens  byToken
	outage  *outage
	// failed is nil for questions that are about no token.
	failed *failedQuestions
	// also is nil or a step with the same question about other tokens: what is answered here shows that the provider is
	// there for those, too.
	also *step
}

func (a *asker) newStep(name string, seat seat, outage *outage, failed *failedQuestions) *step {
	return &step{name: name, seat: seat, breaker: sharedBreaker{now: a.now}, tokens: byToken{of: make(map[cacheKey]*ofToken)}, outage: outage, failed: failed}
}

// subject is what a question is about: the token, and that together with all else that the answer depends on. Zero = no token.
type subject struct {
	token, question cacheKey
}

// ask runs one question as soon as there is a place for it, unless the provider is left alone. It waits until the deadline
// at most. What ends with the caller's context is no failure of the provider and not reported as one, nor is that others took
// the places or the time; every other error comes back as ErrUnavailable with the step and the kind of failure, and is logged.
func ask[V any](caller context.Context, a *asker, s *step, about subject, deadline time.Time, do func(context.Context) (V, error)) (v V, err error) {
	leave, err := s.breaker.enter(about.token)
	if err != nil {
		a.tell(s.name, QuestionResting, 0)
		return v, err
	}
	ctx, cancel := context.WithDeadline(caller, deadline)
	defer cancel()
	began := time.Now()
	asked := began // or later, when it had to wait for a place
	defer func() {
		panicked := recover()
		took := time.Since(began)
		if panicked == nil && ended(caller) == nil && failureKindOf(err) == noAnswerInTime && took < 2*asked.Sub(began) {
			err = errNoPlace // the time went by before the provider was asked
		}
		end := endingOf(caller, err, panicked, time.Since(asked) >= a.timeout/2)
		a.learn(s, leave, about, end, err)
		if panicked == nil && ended(caller) == nil && errors.Is(err, errNoPlace) {
			err = a.turnAway(s.name, s.seat == unknownSeat)
			return
		}
		a.tell(s.name, outcomeOf(err, panicked, ended(caller) != nil), took)
		if err == nil || ended(caller) == nil || panicked != nil {
			err = a.report(s, panicked, err)
		}
	}()
	if about.token != (cacheKey{}) {
		if err := s.tokens.take(ctx, about.token); err != nil {
			return v, err
		}
		defer s.tokens.free(about.token)
	}
	if err := a.places.take(ctx, s.seat); err != nil {
		return v, err
	}
	defer a.places.free(s.seat)
	asked = time.Now()
	return do(ctx)
}

// failedBefore returns an error that says when to try again for a question that has failed a moment ago. shared tells that
// callers share the answer.
func (a *asker) failedBefore(s *step, question cacheKey, shared bool) error {
	err := s.failed.check(question, shared)
	if err != nil {
		a.tell(s.name, QuestionFailedBefore, 0)
	}
	return err
}

// learn takes in how a question ended.
func (a *asker) learn(s *step, p pass, about subject, end ending, err error) {
	if rest := s.breaker.leave(p, end); rest > 0 {
		a.log.Warn("identity provider is left alone", "step", s.name, "for", rest)
	}
	switch end {
	case noNews, unreachable: // nothing about the token
		return
	case answered:
		if s.also != nil {
			s.also.breaker.othersAnswered()
		}
	}
	if end != answered && err == nil { // a panic
		err = ErrUnavailable
	}
	s.failed.note(about.question, err)
}

// endingOf tells what the end of a question says about the provider. long tells that it had a fair share of the
// time-out; a caller who joined the end of another's may have had next to nothing.
func endingOf(caller context.Context, err error, panicked any, long bool) ending {
	if panicked != nil {
		return failedQuickly
	}
	if err == nil {
		return answered
	}
	if status, ok := errors.AsType[statusError](err); ok && status.isRefusal() {
		return answered
	}
	switch {
	case ended(caller) != nil, errors.Is(err, errNoPlace):
		return noNews
	case isUnusable(err):
		return unusable
	case failureKind(err) == noAnswerInTime:
		if long {
			return failedSlowly
		}
		return noNews
	case isUnreachable(err):
		return unreachable
	}
	return failedQuickly
}

// report logs how a step ended and turns what went wrong into ErrUnavailable with the step and the kind of failure.
// A panic, which could only be a fault of ours or of the library, must not end the process from a goroutine that
// belongs to no request; its value may quote an answer and is not logged.
func (a *asker) report(s *step, panicked any, err error) error {
	var kind string
	switch {
	case panicked != nil:
		kind = "panic"
		a.log.Error("panic while asking the identity provider", "step", s.name,
			"type", fmt.Sprintf("%T", panicked), "stack", string(debug.Stack()))
	case err == nil:
		s.outage.over(s.name)
		return nil
	default:
		kind = failureKind(err)
	}
	s.outage.failed(s.name, kind)
	return fmt.Errorf("%w: %s: %s", ErrUnavailable, s.name, kind)
}

// waited turns the end of a wait for the provider into what the caller is told: ErrUnavailable, or the error of their
// own context.
func (a *asker) waited(ctx context.Context, s *step, err error) error {
	if errors.Is(err, errFull) {
		err = a.turnAway(s.name, s.seat == unknownSeat)
	}
	switch {
	case err == nil:
		return nil
	case ended(ctx) != nil:
		return ended(ctx)
	case errors.Is(err, ErrUnavailable):
		return err
	}
	return fmt.Errorf("%w: no answer within %v", ErrUnavailable, a.timeout)
}

// ended returns the error of a context that is over. A network deadline taken from a context can fire a moment before
// the context itself, so the time counts too.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
