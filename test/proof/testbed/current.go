package testbed

import (
	"context"
	"fmt"
	"sync"

	"example.org/avatard/test/client"
)

// Current is the one server of a testbed that runs at a time, for callers who go on with the next one when it is killed. The zero value has
// none. Its methods may be called concurrently.
type Current struct {
	mu     sync.Mutex
	server *Server
	calls  *client.Client
}

// Client returns a client of the server that runs; nil when none does.
func (c *Current) Client() *client.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// Start starts the next one, when none runs.
func (c *Current) Start(ctx context.Context, bed *Testbed, environ ...string) error {
	server, err := bed.Start(ctx, environ...)
	if err != nil {
		if server != nil {
			err = fmt.Errorf("%w\n%s", err, server.Log())
		}
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.calls = server, NewClient(server.URL)
	return nil
}

// Kill kills the one that runs, if one does.
func (c *Current) Kill() {
	if server := c.take(); server != nil {
		server.Kill()
	}
}

// Stop asks the one that runs, if one does, to end, and waits until it has.
func (c *Current) Stop() error {
	if server := c.take(); server != nil {
		return server.Stop()
	}
	return nil
}

func (c *Current) take() *Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	server := c.server
	if server != nil {
		c.calls.Close()
	}
	c.server, c.calls = nil, nil
	return server
}
