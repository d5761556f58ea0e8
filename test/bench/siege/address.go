package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"
)

// Addresses of this machine: 127.0.0.1 is the server, 127.0.1.x are the victims, one each, 127.0.2.x the attackers.
func victimAddress(i int) net.IP   { return net.IPv4(127, 0, 1, byte(1+i)) }
func attackerAddress(i int) net.IP { return net.IPv4(127, 0, 2, byte(1+i%200)) }

// checkSystem says what is missing. Linux takes all of 127.0.0.0/8 for its own; elsewhere only what is on the interface.
func checkSystem(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a siege needs Linux, for many loopback addresses and the memory of a process; this is %s", runtime.GOOS)
	}
	for _, ip := range []net.IP{victimAddress(0), attackerAddress(0)} {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(ip.String(), "0"))
		if err != nil {
			return errors.Join(errors.New("a siege needs the addresses 127.0.1.1 and on, 127.0.2.1 and on"), err)
		}
		_ = ln.Close()
	}
	return nil
}

// dialLimit is how long a connection may take to be there.
const dialLimit = 2 * time.Second

// dialerFrom opens connections that come from an address.
func dialerFrom(ip net.IP) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}, Timeout: dialLimit}
}

// countedConn is a connection of an attack whose bytes count.
type countedConn struct {
	net.Conn
	a *attacker
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.a.toll.received.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.a.toll.sent.Add(int64(n))
	return n, err
}

// dial opens a connection from an address of the attack.
func (a *attacker) dial(ctx context.Context, from int) (net.Conn, error) {
	conn, err := dialerFrom(attackerAddress(from)).DialContext(ctx, "tcp", a.Server)
	if err != nil {
		return nil, err
	}
	return countedConn{conn, a}, nil
}

// dialNarrow opens a connection that takes as little as the system allows, in as small pieces.
func (a *attacker) dialNarrow(ctx context.Context, from int) (net.Conn, error) {
	dialer := dialerFrom(attackerAddress(from))
	dialer.Control = narrowSocket
	conn, err := dialer.DialContext(ctx, "tcp", a.Server)
	if err != nil {
		return nil, err
	}
	return countedConn{conn, a}, nil
}
