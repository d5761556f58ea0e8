package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"example.org/avatard/server/internal/connections"
)

const (
	// maxStreams bounds the calls at once on an HTTP/2 connection. Clients that need more wait, or open another connection.
	maxStreams = 64
	// maxStreamBuffer and maxConnectionBuffer bound what an HTTP/2 peer may send before a handler has read it (RFC 9113
	// section 5.2): fifteen streams whose handlers wait, as uploads may, leave room for the others on the connection.
	maxStreamBuffer     = 64 << 10
	maxConnectionBuffer = 1 << 20
)

// NewHTTPServer returns an HTTP/1.1 and cleartext HTTP/2 server for a handler, with a limit on everything that a
// peer can hold: headers, time, streams, memory, silence. logger gets what net/http has to say; nil = discard.
// Programs that serve Handler themselves should start from it.
func NewHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return newHTTPServer(handler, logger, DefaultHeaderBytes, &shedCounter{logger: slog.New(slog.DiscardHandler), now: time.Now})
}

func newHTTPServer(handler http.Handler, logger *slog.Logger, headerBytes int, sheds *shedCounter) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler:   boundHeaders(handler, headerBytes, sheds),
		Protocols: protocols,
		ErrorLog:  slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		// Tokens with many roles pass 8 kB. Over the limit HTTP/2 ends the connection and with it the calls of
		// everybody behind the same proxy.
		MaxHeaderBytes:    headerBytes,
		ReadHeaderTimeout: 5 * time.Second,
		// A call has its own deadline for its body. These hold before a call has begun, and after it has ended.
		ReadTimeout:  MaxCallDuration + 5*time.Second,
		WriteTimeout: MaxCallDuration + 10*time.Second,
		IdleTimeout:  DefaultIdleTimeout,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              16 << 10, // the smallest; each connection keeps a buffer for one
			MaxReceiveBufferPerConnection: maxConnectionBuffer,
			MaxReceiveBufferPerStream:     maxStreamBuffer,
			// A header block that never ends is closed by these, not by ReadHeaderTimeout.
			SendPingTimeout:  15 * time.Second,
			PingTimeout:      10 * time.Second,
			WriteByteTimeout: connections.LeastWriteTime,
		},
	}
	connections.Attach(srv)
	return srv
}

const (
	// maxFields is how many header fields a request may have. Browsers send about twenty; each costs much more memory than
	// the byte that it is on the wire when HTTP/2 has compressed it (RFC 7541).
	maxFields = 128
	// maxHeadLines bounds the lines of an HTTP/1 request up to its body while they are being read. A few fields over maxFields are refused in order.
	maxHeadLines = 2 * maxFields
	// maxTrailers is how many trailer fields a request may announce; gRPC announces none.
	maxTrailers = 16
)

// boundHeaders refuses, in net/http's own words, requests that net/http lets pass: on HTTP/1 it reads up to 4 KiB more than its bound,
// and it does not count fields.
func boundHeaders(next http.Handler, most int, sheds *shedCounter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fields, size := headerSize(r); fields > maxFields || len(r.Trailer) > maxTrailers || r.ProtoMajor == 1 && size > most {
			sheds.count(r.Context(), shedFields, peerAddress(r))
			forget(r)
			_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // nobody waits for a body
			w.Header().Set("Connection", "close")
			if r.ProtoMajor > 1 { // a peer may refuse to take a body, and net/http keeps the trailers that long
				w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
				return
			}
			http.Error(w, "431 Request Header Fields Too Large", http.StatusRequestHeaderFieldsTooLarge)
			return
		}
		if r.ProtoMajor == 2 {
			growStack(1)
		}
		next.ServeHTTP(w, r)
	})
}

// growStack makes the goroutine's stack large enough for a call. Over HTTP/2 each call has a new goroutine, whose stack is
// moved when it becomes too small; that costs the less the fewer frames are on it, so it is done first of all.
//
//go:noinline
func growStack(touch byte) byte {
	var room [7 << 9]byte
	room[touch] = touch
	return room[touch*touch]
}

// headerSize returns how many header fields a request has, and its size in bytes as HTTP/1 without the body, but for spaces
// around values and the fields that net/http keeps to itself.
func headerSize(r *http.Request) (fields, size int) {
	const line, field = len("  \r\n"), len(": \r\n")
	size = len(r.Method) + len(r.RequestURI) + len(r.Proto) + line + len("Host") + len(r.Host) + field
	for name, values := range r.Header {
		fields += len(values)
		for _, value := range values {
			size += len(name) + len(value) + field
		}
	}
	return fields, size
}

// Serve answers on a listener until ctx ends, HTTP/1.1 and cleartext HTTP/2. Then it takes no more connections, lets
// running calls end for at most Config.ShutdownGrace and cuts off the rest. It returns nil after an orderly end, and
// always closes the listener.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, ln, nil)
}

// ServeTLS is Serve over TLS 1.2 with authenticated encryption and newer. The client chooses HTTP/2 or HTTP/1.1 (ALPN, RFC 7301); without a choice it
// is HTTP/1.1. certificate gives the certificate for a handshake, as in [tls.Config]; it is asked each time.
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) error {
	return s.serve(ctx, ln, encryption(certificate))
}

func encryption(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12, CipherSuites: cipherSuites(), NextProtos: []string{"h2", "http/1.1"}}
}

// cipherSuites are those of TLS 1.2 with forward secrecy and authenticated encryption (RFC 9325 section 4.2). HTTP/2 forbids all others
// (RFC 9113 section 9.2.2), and net/http, which does not see the TLS, cannot look.
func cipherSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// serve is Serve, with encryption unless it is nil.
func (s *Server) serve(ctx context.Context, ln net.Listener, encryption *tls.Config) error {
	srv := newHTTPServer(s.Handler(), s.config.Logger, s.config.MaxHeaderBytes, &s.sheds)
	srv.IdleTimeout = s.config.IdleTimeout
	listener := s.connections.Listen(ln, encryption)
	defer s.tellTheRest()
	defer listener.Finish()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	s.config.Logger.InfoContext(ctx, "serving", "address", ln.Addr().String(), "tls", encryption != nil, "version", s.config.Version)
	select {
	case err := <-done:
		return errors.Join(fmt.Errorf("serve: %w", err), srv.Close())
	case <-ctx.Done():
	}
	s.config.Logger.InfoContext(ctx, "shutting down", "grace", s.config.ShutdownGrace)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.ShutdownGrace)
	defer cancel()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("calls were still running after %v", s.config.ShutdownGrace), srv.Close())
	}
	if why := <-done; !errors.Is(why, http.ErrServerClosed) {
		err = errors.Join(err, why)
	}
	return err
}

// tellTheRest writes the sums and records that are gathered for the log and the audit trail.
func (s *Server) tellTheRest() {
	s.logSums.flush()
	s.refusals.flush(maxRefusalKinds)
	s.unproven.flush(maxRefusalKinds)
}

// newConnections returns room for the connections that a Server is configured for.
func (s *Server) newConnections() *connections.Group {
	reasons := map[connections.Refusal]shedReason{
		connections.TooMany: shedConnections, connections.TooManyOfAddress: shedConnectionsOfAddress, connections.HeadTooLong: shedFields,
	}
	return connections.NewGroup(connections.Limits{
		Max: s.config.MaxConnections, MaxPerAddress: s.config.MaxConnectionsPerAddress, Proxies: s.config.Proxies, HeadLines: maxHeadLines,
		Refused: func(why connections.Refusal, address string) {
			s.sheds.count(context.Background(), reasons[why], address)
		},
	})
}
