package limit

import "net/netip"

// Address returns what an address counts as: an IPv4 address itself, an IPv6 address as its network of 64 bits, because
// a host usually has all addresses of its network. All texts that are not an IP address count as the same address.
func Address(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return network.Addr()
}
