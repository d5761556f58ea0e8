package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Bounds of ages. Records that are kept for less than an hour are useless; the longest age still fits into a time.Duration.
const (
	minAge = time.Hour
	maxAge = 100 * 365 * day
)

// parseAge reads how long something is kept: days, or what time.ParseDuration takes. 0 is for ever.
func parseAge(to *time.Duration, s string) error {
	age, err := time.ParseDuration(s)
	if number, isDays := strings.CutSuffix(s, "d"); isDays {
		var days uint64
		days, err = strconv.ParseUint(number, 10, 64)
		age = time.Duration(min(days, uint64(maxAge/day)+1)) * day
	}
	if err != nil {
		return fmt.Errorf("%q is no length of time; expected days such as 400d, hours such as 36h, or 0 for ever", s)
	}
	if age != 0 && (age < minAge || age > maxAge) {
		return fmt.Errorf("%s is out of range; expected 1h to %dd, or 0 for ever", s, maxAge/day)
	}
	*to = age
	return nil
}

// parseRows reads a number of rows. 0 is any number.
func parseRows(to *int64, s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1e12 {
		return fmt.Errorf("%q is no number of rows; expected 0 to 1000000000000, 0 for any number", s)
	}
	*to = n
	return nil
}
