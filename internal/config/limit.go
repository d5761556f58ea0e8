package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"example.org/avatard/authz/limit"
)

// Bounds of rates, which catch a mistaken unit like those of durations.
const (
	minPerSecond = 0.001
	maxPerSecond = 1_000_000
	maxBurst     = 10_000_000
	// Tokens have to fit into the header fields of a request.
	minHeaderBytes = 4 << 10
	maxHeaderBytes = 1 << 20
	// Small pictures of small phones have to pass.
	minUploadBytes  = 64 << 10
	minPixels       = 1_000_000
	maxResizedBytes = 1 << 30
)

// parsePerSecond reads how often something may happen in a second, 0 for no limit.
func parsePerSecond(to *limit.Rate, s string) error {
	rate, err := strconv.ParseFloat(s, 64)
	if err != nil || rate != 0 && !(rate >= minPerSecond && rate <= maxPerSecond) {
		return fmt.Errorf("%q is no rate; expected a number a second from %v to %d, or 0 for no limit", s, minPerSecond, maxPerSecond)
	}
	to.PerSecond = rate
	return nil
}

// parseBurst reads how often something may happen at once.
func parseBurst(to *limit.Rate, s string) error {
	burst, err := strconv.Atoi(s)
	if err != nil || burst < 1 || burst > maxBurst {
		return fmt.Errorf("%q is no burst; expected a whole number from 1 to %d", s, maxBurst)
	}
	to.Burst = burst
	return nil
}

// parseCount reads how many of something there may be at once.
func parseCount(to *int, s string, most int) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return fmt.Errorf("%q is no number of these; expected a whole number from 1 to %d", s, most)
	}
	*to = n
	return nil
}

// parseHeaderBytes reads the size of the header fields of a request.
func parseHeaderBytes(to *int, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < minHeaderBytes || n > maxHeaderBytes {
		return fmt.Errorf("%q is no size of header fields; expected a number of bytes from %d to %d", s, minHeaderBytes, maxHeaderBytes)
	}
	*to = n
	return nil
}

// parseBetween reads a number of something from least to most.
func parseBetween(to *int, s, what string, least, most int) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%q is no %s; expected a whole number from %d to %d", s, what, least, most)
	}
	*to = n
	return nil
}

// parseProxies reads networks in CIDR notation and single addresses.
func parseProxies(to *[]netip.Prefix, items []string) error {
	var networks []netip.Prefix
	var faults []error
	for _, s := range items {
		p, err := netip.ParsePrefix(s)
		if ip, single := netip.ParseAddr(s); single == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("%q is no network; expected one such as 10.0.0.0/8, or an address", s))
		case p.Addr().Is4In6():
			faults = append(faults, fmt.Errorf("%q is an IPv4 network in IPv6 form; expected %v", s, p.Addr().Unmap()))
		case p != p.Masked():
			faults = append(faults, fmt.Errorf("%q has bits behind its length; expected %v or a single address", s, p.Masked()))
		case p.Bits() == 0:
			faults = append(faults, fmt.Errorf("%q would believe everybody; expected the networks of the proxies", s))
		default:
			networks = append(networks, p)
		}
	}
	*to = networks
	return errors.Join(faults...)
}

// parseSource reads where permissions come from.
func parseSource(to *string, s string) error {
	if s != sourceClaims && s != SourceZitadel {
		return fmt.Errorf("%q is no source of permissions; expected %s or %s", s, sourceClaims, SourceZitadel)
	}
	*to = s
	return nil
}
