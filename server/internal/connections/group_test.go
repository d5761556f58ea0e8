package connections

import (
	"maps"
	"net"
	"net/netip"
	"testing"
)

// addressed is a connection from an address.
type addressed struct {
	net.Conn
	from string
}

func (c addressed) RemoteAddr() net.Addr { return addressText(c.from) }

type addressText string

func (a addressText) Network() string { return "tcp" }
func (a addressText) String() string  { return string(a) }

// arrivals is a listener that has a connection from an address each time.
type arrivals struct {
	net.Listener
	from string
}

func (l *arrivals) Accept() (net.Conn, error) {
	conn, _ := net.Pipe()
	return addressed{conn, l.from}, nil
}

// accept makes a connection from an address arrive and accepts it from ln, which is a listener on l.
func (l *arrivals) accept(t *testing.T, ln net.Listener, from string) *Conn {
	t.Helper()
	l.from = from
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*Conn)
}

// Connections are counted in all and for each address. Those over a limit get into the reserve, whose oldest is cut off when it is full.
func TestLimits(t *testing.T) {
	refused := map[Refusal]int{}
	group := NewGroup(Limits{Max: 6, MaxPerAddress: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")},
		Refused: func(why Refusal, _ string) { refused[why]++ }})
	source := new(arrivals)
	ln := group.Listen(source, nil)
	accept := func(from string) *Conn { return source.accept(t, ln, from) }
	var all []*Conn
	for _, row := range []struct {
		from    string
		reserve bool
	}{
		{"192.0.2.1:1", false},
		{"192.0.2.1:2", false},
		{"192.0.2.1:3", true},
		{"[2001:db8::1]:1", false},
		{"[2001:db8::2]:1", false}, // the same network
		{"[2001:db8::3]:1", true},
		{"192.0.2.200:1", false}, // a proxy
		{"192.0.2.200:2", false},
		{"192.0.2.200:3", true}, // six in all
		{"192.0.2.2:1", true},
	} {
		c := accept(row.from)
		all = append(all, c)
		if c.reserved != row.reserve {
			t.Errorf("%s comes out of the reserve: %v, want %v", row.from, c.reserved, row.reserve)
		}
	}
	if want := map[Refusal]int{TooMany: 2, TooManyOfAddress: 2}; group.Open() != len(all) || !maps.Equal(refused, want) {
		t.Errorf("%d connections, refused %v, want %d connections, refused %v", group.Open(), refused, len(all), want)
	}
	// The oldest connection leaves the reserve: of the address, if it has its share, else of all.
	for range maxReservedOfAddress - 1 {
		all = append(all, accept("192.0.2.1:4"))
	}
	if all[2].socketClosed {
		t.Error("one of eight in the reserve is gone")
	}
	all = append(all, accept("192.0.2.1:5"))
	if !all[2].socketClosed || all[5].socketClosed {
		t.Errorf("gone are %v and %v, want the oldest of the address, and nobody else", all[2].socketClosed, all[5].socketClosed)
	}
	for i := range byte(maxReserved - maxReservedOfAddress - 2) {
		all = append(all, accept(netip.AddrFrom4([4]byte{198, 51, 100, i}).String()+":1"))
	}
	if !all[5].socketClosed || len(group.reserve) != maxReserved {
		t.Errorf("the oldest is gone: %v, %d are in the reserve, want %d", all[5].socketClosed, len(group.reserve), maxReserved)
	}
	for _, c := range all {
		_ = c.Close()
	}
	if group.Open() != 0 || len(group.addresses) != 0 || group.HasReserved() {
		t.Errorf("%d connections of %v are left", group.Open(), group.addresses)
	}
	ln.Finish()
}
