package server

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// begin makes c.context the context of a request whose own one is parent. Its deadline is the one that the caller asks for, at
// most MaxCallDuration. begin removes the headers, so that the RPC library does not read them again. The deadline bounds authentication, too.
func (c *call) begin(parent context.Context, header http.Header) {
	limit := MaxCallDuration
	if c.form == formConnect || c.form == formREST {
		limit = c.takeTimeout(limit, header, "Connect-Timeout-Ms", parseConnectTimeout)
	}
	if c.form != formConnect {
		limit = c.takeTimeout(limit, header, "Grpc-Timeout", parseGRPCTimeout)
	}
	deadline := time.Now().Add(limit)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	c.context = callContext{Context: parent, call: c, deadline: deadline}
}

// takeTimeout takes a header away, and returns its time where that is less than limit.
func (c *call) takeTimeout(limit time.Duration, header http.Header, name string, parse func(string) (time.Duration, bool)) time.Duration {
	values, given := header[name]
	if !given {
		return limit
	}
	delete(header, name)
	text := strings.Trim(first(values), " \t")
	if text == "" {
		return limit
	}
	asked, ok := parse(text)
	if !ok {
		c.badTimeout = true
		return limit
	}
	return min(limit, asked)
}

// parseConnectTimeout reads at most ten digits of milliseconds.
func parseConnectTimeout(text string) (time.Duration, bool) {
	return parseDigits(text, 10, time.Millisecond)
}

// parseGRPCTimeout reads at most eight digits and a unit.
func parseGRPCTimeout(text string) (time.Duration, bool) {
	digits := text[:len(text)-1]
	switch text[len(text)-1] {
	case 'n':
		return parseDigits(digits, 8, time.Nanosecond)
	case 'u':
		return parseDigits(digits, 8, time.Microsecond)
	case 'm':
		return parseDigits(digits, 8, time.Millisecond)
	case 'S':
		return parseDigits(digits, 8, time.Second)
	case 'M':
		return parseDigits(digits, 8, time.Minute)
	case 'H':
		return parseDigits(digits, 8, time.Hour)
	}
	return 0, false
}

func parseDigits(text string, most int, unit time.Duration) (time.Duration, bool) {
	if len(text) > most || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(n, math.MaxInt64/int64(unit))) * unit, true
}
