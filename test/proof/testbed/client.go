package testbed

import (
	"time"

	"example.org/avatard/test/client"
)

// callTimeout is after how long a caller gives up.
const callTimeout = 20 * time.Second

// NewClient returns a client of the server at url.
func NewClient(url string) *client.Client {
	return client.New(client.Config{URL: url, Timeout: callTimeout})
}
