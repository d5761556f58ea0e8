package connections

import "syscall"

// PeerState is the state of the peer's end of a connection, as the kernel has it.
type PeerState int

// The states that matter for a request whose body is not read at the moment.
const (
	PeerOpen  PeerState = iota // the peer may send more, or nothing is known
	PeerEnded                  // the peer has sent everything: it waits for an answer, or has closed its socket
	PeerReset                  // the connection was reset
)

// PeerState asks the kernel, without reading. It returns PeerOpen where the kernel has no answer.
func (c *Conn) PeerState() PeerState {
	if c == nil {
		return PeerOpen
	}
	socket, ok := c.raw.(syscall.Conn)
	if !ok {
		return PeerOpen
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return PeerOpen
	}
	state := PeerOpen
	if err := raw.Control(func(fd uintptr) { state = socketState(fd) }); err != nil {
		return PeerOpen // closed here, and the context of its calls has ended
	}
	return state
}
