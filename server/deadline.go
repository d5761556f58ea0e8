package server

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// withDeadline gives the call its deadline: the one that the caller asks for, at most MaxCallDuration. It removes the headers, so that
// the RPC library does not read them again, and the deadline bounds authentication, too.
func (c *call) withDeadline(ctx context.Context, header http.Header) (context.Context, context.CancelFunc) {
	limit := MaxCallDuration
	take := func(name string, parse func(string) (time.Duration, bool)) {
		text := strings.Trim(header.Get(name), " \t")
		header.Del(name)
		if text == "" {
			return
		}
		if asked, ok := parse(text); ok {
			limit = min(limit, asked)
		} else {
			c.badTimeout = true
		}
	}
	if c.form == formConnect || c.form == formREST {
		take("Connect-Timeout-Ms", parseConnectTimeout)
	}
	if c.form != formConnect {
		take("Grpc-Timeout", parseGRPCTimeout)
	}
	return context.WithTimeout(ctx, limit)
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
