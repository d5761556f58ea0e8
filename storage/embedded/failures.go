package embedded

import (
	"log/slog"
	"time"
)

// failureInterval is how often a failure that goes on is logged.
const failureInterval = 10 * time.Second

// failures keeps failures that repeat themselves from filling the log, which may lie on the disk that fails. Only the committer
// uses it.
type failures struct {
	told map[string]*told
}

type told struct {
	at      time.Time
	omitted int64 // since then
}

// error writes a line to the log unless one of the same message was written less than failureInterval ago. Those that are left out are
// counted in the next one.
func (f *failures) error(log *slog.Logger, message string, args ...any) {
	if f.told == nil {
		f.told = make(map[string]*told)
	}
	last, now := f.told[message], time.Now()
	switch {
	case last == nil:
		last = &told{}
		f.told[message] = last
	case now.Sub(last.at) < failureInterval:
		last.omitted++
		return
	case last.omitted > 0:
		args = append(args, "omitted", last.omitted)
	}
	last.at, last.omitted = now, 0
	log.Error(message, args...) //nolint:sloglint // the message is one of the callers' constants
}
