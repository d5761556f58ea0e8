package connections

import (
	"encoding/binary"
	"syscall"
)

// States of TCP as Linux numbers them.
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// socketState asks for the first bytes of TCP_INFO, of which the first one is the state.
func socketState(fd uintptr) PeerState {
	first, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if err != nil {
		return PeerOpen
	}
	var info [4]byte
	binary.NativeEndian.PutUint32(info[:], uint32(first))
	switch info[0] {
	case tcpClose:
		return PeerReset
	case tcpCloseWait:
		return PeerEnded
	}
	return PeerOpen
}
