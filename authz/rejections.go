package authz

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"example.org/avatard/authz/limit"
)

const (
	// rejectedFor is how long a rejected token waits for others to be answered.
	rejectedFor = 10 * time.Minute
	// maxRejected tokens are remembered at least, and twice as many at most.
	maxRejected = 1 << 12
)

// ErrClientRefused: the provider does not accept the client id, or its secret or key.
var ErrClientRefused = errors.New("the provider refuses the client id, or its secret or key")

// rejections tells a provider that rejects a token (status 400 or 401 where RFC 7662 section 2.2 wants an answer) from one
// that rejects this server. A token that was rejected, and is rejected again after the provider has answered a later question about
// another token, is at fault itself. Until then the client id or secret may be at fault, which must not make any token a bad one.
type rejections struct {
	now func() time.Time

	mu       sync.Mutex
	asked    uint64 // questions that have begun, which numbers them
	answered uint64 // the latest of them that was answered; 0 = none yet
	tokens   *limit.RecentMap[cacheKey, rejection]
	// streak is the first token that was rejected since the last answer, and many tells that there were others.
	streak cacheKey
	many   bool
}

// rejection is that of a token.
type rejection struct {
	asked uint64 // questions that had begun by then
	at    time.Time
}

func newRejections(now func() time.Time) *rejections {
	return &rejections{now: now, tokens: limit.NewRecentMap[cacheKey, rejection](maxRejected)}
}

// begin numbers a question.
func (r *rejections) begin() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.asked
}

// recordAnswer records that a question about a token was answered.
func (r *rejections) recordAnswer(question uint64, token cacheKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens.Delete(token)
	r.answered = max(r.answered, question)
	r.streak, r.many = cacheKey{}, false
}

// recordRejection records that the provider has rejected a question about a token. It reports whether that is about the token, and
// otherwise whether it seems to be about us: nothing was ever answered, or several tokens in a row were rejected.
func (r *rejections) recordRejection(token cacheKey) (aboutToken, aboutUs bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	before, there := r.tokens.Get(token)
	switch {
	case !there || now.Sub(before.at) >= rejectedFor:
		r.tokens.Set(token, rejection{asked: r.asked, at: now})
	case r.answered > before.asked:
		return true, false
	}
	if r.streak == (cacheKey{}) {
		r.streak = token
	}
	r.many = r.many || r.streak != token
	return false, r.answered == 0 || r.many
}

// classify returns what a status other than 200 says of a token: that it is refused, or the error to return.
func (r *rejections) classify(token cacheKey, status statusError) (validation, error) {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
	default:
		return validation{}, status
	}
	aboutToken, aboutUs := r.recordRejection(token)
	switch {
	case aboutToken && status != http.StatusForbidden:
		return refuseAs(ReasonRejected, ErrInvalidToken, "the provider answers with "+status.Error()), nil
	case aboutUs && status != http.StatusBadRequest:
		return validation{}, fmt.Errorf("%w (%w)", ErrClientRefused, status)
	}
	return validation{}, status
}
