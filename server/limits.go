package server

// maxCounted is how many addresses, and how many callers, are counted one by one at least. Each takes about 100 bytes.
const maxCounted = 1 << 16

// limitAddress counts a call for the address it came from, before anything is done for it, and once more where its endpoint has a rate of
// its own. Health may be asked for as often as one likes, in the form that has no body.
func (s *Server) limitAddress(c *call, m match) error {
	if s.byAddress != nil && (!m.rule.open || c.form != formREST) {
		if wait, ok := s.byAddress.Allow(c.network); !ok {
			return &apiError{reason: overLimit, retryAfter: wait}
		}
	}
	if m.rule.rate != nil && !m.notFound {
		if wait, ok := m.rule.rate.Allow(c.network); !ok {
			return &apiError{reason: overLimit, retryAfter: wait}
		}
	}
	return nil
}

// limitCaller counts a call for its caller, once the caller is known.
func (s *Server) limitCaller(c *call) error {
	if wait, ok := s.byCaller.Allow(c.caller.Subject); !ok {
		return &apiError{reason: overLimit, retryAfter: wait}
	}
	return nil
}
