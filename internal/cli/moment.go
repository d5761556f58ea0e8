package cli

import (
	"strconv"
	"strings"
	"time"
)

// periodFlags bound the time of what is listed.
type periodFlags struct {
	Since string `placeholder:"TIME" help:"only what is not older than this: a time such as 2026-03-02T09:00:00Z, or how long ago, such as 24h or 7d"`
	Until string `placeholder:"TIME" help:"only what is older than this, in the same forms"`
}

// period returns the bounds in UTC, zero for none.
func (flags *periodFlags) period(now time.Time) (since, until time.Time, err error) {
	if since, err = parseMoment("--since", flags.Since, now); err != nil {
		return since, until, err
	}
	if until, err = parseMoment("--until", flags.Until, now); err != nil {
		return since, until, err
	}
	if !until.IsZero() && !since.Before(until) {
		return since, until, usagef("--since %s is not before --until %s", flags.Since, flags.Until)
	}
	return since, until, nil
}

// now is what the program uses in place of the clock.
func (p *Program) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

const (
	day = 24 * time.Hour
	// longestAgo bounds how long ago something may be said to be: some hundred years.
	longestAgo = 36500 * day
)

// parseMoment reads a time (RFC 3339), or how long before now it was. "" is no time.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	ago, err := time.ParseDuration(text)
	if number, isDays := strings.CutSuffix(text, "d"); isDays {
		var days uint64
		days, err = strconv.ParseUint(number, 10, 32)
		ago = time.Duration(min(days, uint64(longestAgo/day)+1)) * day
	}
	if err != nil || ago < 0 || ago > longestAgo {
		return time.Time{}, usagef("%s %q: expected a time such as 2026-03-02T09:00:00Z, or how long ago, such as 24h or 7d", flag, text)
	}
	return now.Add(-ago).UTC(), nil
}
