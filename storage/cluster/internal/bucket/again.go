package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// tries is how often a request that may be repeated is sent, and tryPause how long it waits before the second time; twice as long before
	// the third. A server that is being replaced is back after longer than that: then the caller, or the sweeper, comes again.
	tries    = 3
	tryPause = 20 * time.Millisecond
)

// again repeats a request that may be repeated, where the server says that the fault is its own, or the connection to it broke. One that took
// too long is not repeated: another one would take as long.
func (b *Bucket) again(ctx context.Context, request func() error) error {
	return repeat(ctx, func(err error) bool { return serverFault(err) || connectionBroke(err) }, request)
}

// repeat sends a request as often as it may fail in this way.
func repeat(ctx context.Context, may func(error) bool, request func() error) error {
	for try, pause := 1, tryPause; ; try, pause = try+1, 2*pause {
		err := request()
		if err == nil || ctx.Err() != nil || try == tries || !may(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// statusError is an answer of the server that is not a success.
type statusError struct {
	status int
	code   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d %s", e.status, e.code) }

func serverFault(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.status >= http.StatusInternalServerError
}

// conflict reports whether the server has refused a request because of others at the same time, such as one that deletes what was the last
// object of a folder. The request is over then: it cannot arrive any more.
func conflict(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.status == http.StatusConflict
}

// connectionBroke reports whether no connection was to be had, or it ended before the answer did.
func connectionBroke(err error) bool {
	var network *net.OpError
	switch {
	case errors.As(err, &network):
		return !network.Timeout()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return err != nil && strings.Contains(err.Error(), "Connection closed by foreign host") // what the library makes of an io.EOF
}
