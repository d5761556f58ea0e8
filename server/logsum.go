package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of the lines that the log gets in a second about calls without a token and calls that were refused.
const (
	logPause          = time.Second
	maxLinesOfAddress = 10   // lines of their own for calls from one address
	maxLines          = 40   // and for all such calls
	maxSums           = 10   // lines with sums
	maxSummed         = 1024 // addresses that are counted one by one
)

// logSums decides which calls without a token, and which refused calls, get lines of their own in the log. The others are counted by
// address and code, and a line tells the sum after logPause.
type logSums struct {
	logger *slog.Logger

	mu        sync.Mutex
	lines     int
	internal  int // lines of internal errors
	addresses map[netip.Addr]*logSum
	others    logSum      // of addresses beyond maxSummed
	timer     *time.Timer // nil = nothing was logged for a while
	total     uint64      // calls without a line of their own, so far
}

// logSum is what one address did in a pause.
type logSum struct {
	address netip.Addr
	lines   int
	calls   int
	codes   map[string]int
}

// line reports whether a call gets a line of its own.
func (l *logSums) line(address netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.of(address)
	if sum.lines >= maxLinesOfAddress || l.lines >= maxLines {
		return false
	}
	sum.lines++
	l.lines++
	return true
}

// count counts a call that gets no line of its own. There are few codes.
func (l *logSums) count(address netip.Addr, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	l.of(address).add(1, code)
}

// summed tells how many calls have no line of their own so far.
func (l *logSums) summed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (s *logSum) add(calls int, code string) {
	s.calls += calls
	if s.codes == nil {
		s.codes = make(map[string]int)
	}
	s.codes[code] += calls
}

// of returns the sum of an address. The caller holds mu.
func (l *logSums) of(address netip.Addr) *logSum {
	if l.timer == nil {
		l.timer = time.AfterFunc(logPause, l.flush)
		l.addresses = make(map[netip.Addr]*logSum)
	}
	sum := l.addresses[address]
	switch {
	case sum == nil && len(l.addresses) >= maxSummed:
		return &l.others
	case sum == nil:
		sum = &logSum{address: address}
		l.addresses[address] = sum
	}
	return sum
}

// flush writes the sums and begins anew.
func (l *logSums) flush() {
	l.mu.Lock()
	sums := make([]*logSum, 0, len(l.addresses))
	for _, sum := range l.addresses {
		if sum.calls > 0 {
			sums = append(sums, sum)
		}
	}
	others := l.others
	if l.timer != nil {
		l.timer.Stop()
	}
	l.lines, l.internal, l.addresses, l.others, l.timer = 0, 0, nil, logSum{}, nil
	l.mu.Unlock()

	slices.SortFunc(sums, func(a, b *logSum) int { return cmp.Or(cmp.Compare(b.calls, a.calls), a.address.Compare(b.address)) })
	more := 0 // addresses without a line
	for i, sum := range sums {
		if i < maxSums {
			l.logger.LogAttrs(context.Background(), slog.LevelInfo, "more calls", slog.String("address", sum.address.String()),
				slog.Int("calls", sum.calls), slog.String("codes", sum.list()))
			continue
		}
		more++
		for code, calls := range sum.codes {
			others.add(calls, code)
		}
	}
	if others.calls > 0 {
		l.logger.LogAttrs(context.Background(), slog.LevelInfo, "more calls", slog.String("address", "others"),
			slog.Int("calls", others.calls), slog.String("codes", others.list()))
	}
}

// list names codes and how often each came, the most frequent first.
func (s *logSum) list() string {
	codes := make([]string, 0, len(s.codes))
	for code := range s.codes {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b string) int { return cmp.Or(cmp.Compare(s.codes[b], s.codes[a]), strings.Compare(a, b)) })
	for i, code := range codes {
		codes[i] = code + "=" + strconv.Itoa(s.codes[code])
	}
	return strings.Join(codes, ", ")
}

// internalLine is line for an internal error. It is a fault of the server's, so it does not count against the lines of an address.
func (l *logSums) internalLine(address netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(address) // begins a pause
	l.internal++
	return l.internal <= maxLines
}

// hasLines reports whether a call has lines of its own in the log. Every successful call of a known caller has.
func (s *Server) hasLines(c *call, outcome string) bool {
	if c.lines == 0 {
		switch {
		case c.identified && outcome == "ok":
			c.lines = 1
		case outcome == errorTable[internal].code.String():
			c.lines = sign(s.logSums.internalLine(c.network))
		default:
			c.lines = sign(s.logSums.line(c.network))
		}
	}
	return c.lines > 0
}

func sign(positive bool) int {
	if positive {
		return 1
	}
	return -1
}
