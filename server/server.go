// Package server is the HTTP surface of avatard: two RPC services in five wire forms, the picture routes, health and
// reflection, all on one port.
//
// It decides the order of the checks of a request, and words every answer. Other packages check tokens (package authz), decode
// pictures (package server/picture) and erase them (package storage).
//
//	call.go      one request from the first to the last byte: request id, deadline, admission, panics
//	  deadline.go, callcontext.go   when it has to be over, and what waits for that
//	  route.go     which endpoint a method and a path name
//	    rpc.go       the RPC handlers, and what wraps every one of them
//	    binding.go, query.go, rest.go   REST ─► the same handlers, as annotations say
//	    webtext.go   gRPC-Web text ─► the same handlers
//	    media.go     names of media types and compressions, as the RPC library expects them
//	    envelope.go  the framing of messages in gRPC and gRPC-Web
//	    avatar.go, erasures.go, receiptlog.go, users.go, pagetoken.go   what the procedures do
//	    upload.go, arriving.go, read.go   pictures in and out
//	    picturequery.go, resize.go, renditions.go   pictures in other sizes, made on request
//	    absent.go     what stands for a picture where there is none
//	    budgets.go, semaphore.go   how many of them at once, and which are evicted for others
//	    health.go    the open endpoints
//	    hook.go, hookevent.go, hookmemory.go   account events that a sender has signed; package server/webhook reads them
//	  surface.go   all that is served; nothing is without a rule of access
//	  access.go, organisation.go   those rules: who may call what and where, decided before a body is read
//	  limits.go, address.go   how often, and what address a call comes from
//	  inflight.go, shedding.go  how many at once, and what was shed
//	  body.go, writers.go   the layers that a request's body and its answer pass, in order
//	  errors.go    the one table of errors
//	  accesslog.go, audit.go, logsum.go   what goes into the log and on record
//	observe.go   reports of calls, for metrics
//	serve.go     listening, limits of the transport, shutdown
//	  internal/connections   how many connections, how they are read, written and closed
//	runtime.go   what a process that serves asks of the Go runtime
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/server/internal/connections"
	"example.org/avatard/server/picture"
	"example.org/avatard/server/reference"
	"example.org/avatard/storage"
)

// Limits of what a caller may send and of how long a call may take. Uploads are bounded by Config.Pictures.
const (
	// MaxMessageBytes bounds one RPC message, compressed or not. Requests are a few hundred bytes.
	MaxMessageBytes = 64 << 10
	// MaxCallDuration bounds every call, whatever deadline its caller asks for.
	MaxCallDuration = 30 * time.Second
	// MaxReadDuration bounds the sending of one picture. A read that began before a delete ends within it.
	MaxReadDuration = 10 * time.Second

	// maxBodyBytes bounds the body around an RPC message: envelope, base64, and what is thrown away in order to
	// answer a message over the limit properly.
	maxBodyBytes = 4 * MaxMessageBytes
	// defaultUploads uploads of half a megabyte, decoded and encoded again, fit a small machine.
	defaultUploads = 16
)

// Defaults of Config.
const (
	DefaultRequests              = 2048
	DefaultRequestsPerAddress    = 256
	DefaultConnections           = 4096
	DefaultConnectionsPerAddress = 1024
	DefaultHeaderBytes           = 64 << 10
	// DefaultIdleTimeout is longer than the ten minutes that load balancers keep connections.
	DefaultIdleTimeout = 620 * time.Second
)

// Config is what a Server depends on.
type Config struct {
	// Store keeps users and pictures. Required.
	Store storage.Store
	// Issuer is half of every user's key in the store: the id is unique for its issuer. Required.
	Issuer string
	// Authenticator finds out which caller a token belongs to. Required.
	Authenticator authz.Authenticator
	// Permissions finds out what a caller may do. One that is an authz.Directory as well is asked which organisation a caller
	// belongs to whose token does not say, and about organisations that are not registered here. Required.
	Permissions authz.Source
	// UserDirectory is asked about a user who is not registered when a call of somebody with permission in an organisation deletes their
	// picture, ends them or uploads for them; one who is there is registered in that organisation. nil = such a user is unknown.
	UserDirectory authz.UserDirectory
	// Pictures decodes uploads. nil = one with the defaults of its package.
	Pictures *picture.Normalizer
	// Logger gets a line for each request of a known caller, unless it was refused, and a bounded number of lines for all others. nil =
	// discard.
	Logger *slog.Logger
	// Realm is the protection space in challenges (RFC 9110 section 11.5), without quotes or control characters.
	// "" = "avatard".
	Realm string
	// PublicAssets lets anyone read a picture whose organisation and user they can name. false = the user's own
	// token, or the permission user.read.
	PublicAssets bool
	// WithoutReflection leaves gRPC's reflection out: callers over RPC then need the .proto files.
	WithoutReflection bool
	// StartOrganizations are those that the program registers at each start. They cannot be erased by a call: they would be back.
	// nil = none.
	StartOrganizations []string
	// Hooks are the senders of account events. nil = none, and no such route.
	Hooks []Hook
	// RegisterOnAdminUpload registers the user when an administrator uploads for an unknown id. false = such an
	// upload is refused as for any unknown user.
	RegisterOnAdminUpload bool
	// MaxUploads is the number of uploads that are decoded, encoded and stored at once, each once it has arrived; others wait.
	// One caller gets a quarter of them, but at least one. 0 = 16.
	MaxUploads int
	// DefaultImage is what ?default=image stands for, in a form that uploads may have. nil = nothing; it is refused then.
	DefaultImage []byte
	// RenditionBytes bounds the pictures that are kept in memory in the sizes that ?size= asked for, in bytes. 0 = 16 MiB, negative = none
	// are kept.
	RenditionBytes int
	// Checks are asked by /readyz and by the health service beside the store. nil = none.
	Checks []Check
	// Observer receives a report of every call, for metrics. nil = none.
	Observer Observer
	// Interceptors run around every RPC that was let in, the first outermost; over REST too. They see the request's
	// message, which may break its rules, and the error that the caller is going to get. nil = none.
	Interceptors []connect.Interceptor
	// AllowedOrigin reports whether pages of a web origin may call the API (CORS). nil = none, no CORS header at
	// all. The origin "null" is refused without asking.
	AllowedOrigin func(origin string) bool
	// AllowedHeaders are names of request headers that those pages may send beside the ones that are of use here, and those
	// that libraries add: X-Requested-With, Traceparent, Tracestate and Baggage. nil = none.
	AllowedHeaders []string
	// ClientAddress returns the address that limits are counted for. nil = the peer's IP address; behind proxies see
	// ForwardedAddress.
	ClientAddress func(*http.Request) string
	// AddressRate bounds the calls from one address, before anything else is done for them; an IPv6 address counts with
	// its network of 64 bits. CallerRate bounds those of one caller, once that is known. Over them the answer is 429 with
	// Retry-After. GET of /healthz and /readyz do not count. Zero = no bound.
	AddressRate, CallerRate limit.Rate
	// NewRequestID makes the id of a request, which stands in the log beside the one that the caller may have chosen. nil = 26
	// random characters.
	NewRequestID func() string
	// Now is the clock. nil = time.Now.
	Now func() time.Time
	// Version is the version of the program, for the log and for the API's documents.
	Version string
	// Page serves the page on which people see, set and delete their picture, and managers end accounts and see receipts, at /. It is of use
	// with SignIn only.
	Page bool
	// SignIn returns how people get a token from the provider, for the API's pages and documents, or nil while that is not known.
	// nil = they have to bring one.
	SignIn func(context.Context) *reference.SignIn
	// MaxRequests is the number of requests in flight at once, MaxRequestsPerAddress that of those from one address, where an
	// IPv6 address counts with its network of 64 bits. A request over it gets 503 with Retry-After at once. Open calls (health,
	// reflection) have bounds of their own. 0 = 2048, and 256.
	MaxRequests, MaxRequestsPerAddress int
	// MaxConnections is the number of connections that Serve keeps open at once, MaxConnectionsPerAddress that of those from
	// one address, counted like requests. Over it there is a small reserve for health: any other call on it gets 503.
	// 0 = 4096, and 1024.
	MaxConnections, MaxConnectionsPerAddress int
	// MaxHeaderBytes bounds the header fields of one request, in bytes, the request line included; Handler must be served with
	// the same bound. HTTP/2 counts 32 bytes more for each field (RFC 9113 section 6.5.2) and is given room for ten of them.
	// Over it the answer is 431. 0 = 64 KiB: tokens with many roles pass 8 KiB.
	MaxHeaderBytes int
	// Proxies are the networks of proxies, whose connections carry the calls of many: each may have all of MaxConnections. What they say in
	// X-Forwarded-Proto or Forwarded is the scheme of the address that the API's documents name. nil = none.
	Proxies []netip.Prefix
	// IdleTimeout is how long Serve keeps a connection on which no call is under way. It has to be longer than a proxy in front keeps it:
	// else a call that the proxy sends at that moment gets no answer. At a bound of connections those that have been idle for 90 s
	// give way, but for those of Proxies. 0 = 620 seconds.
	IdleTimeout time.Duration
	// ShutdownGrace is how long Serve lets running calls end. 0 = 35 seconds, more than the longest call.
	ShutdownGrace time.Duration
}

// Server answers requests. Make it with New; its methods may be called concurrently.
type Server struct {
	config Config

	procedures map[string]*endpoint // by path
	services   []string             // fully-qualified names, for "a path under one of our services"
	routes     []*route
	errorForm  *connect.ErrorWriter
	refusals   *refusals
	byAddress  *limit.RateLimiter[netip.Addr] // nil = no bound
	byCaller   *limit.RateLimiter[string]     // nil = no bound
	// reflections counts streams of reflection by address.
	reflections *limit.RateLimiter[netip.Addr]
	// invented counts questions about organisations that are not registered, by caller.
	invented *limit.RateLimiter[string]
	// lookUps counts questions about users who are not registered, by caller.
	lookUps *limit.RateLimiter[string]
	headers sync.Pool // of *headersOnly

	// unproven gathers refusals of messages to hooks that nobody is proven to have sent.
	unproven *refusals

	calls       *inFlight
	openCalls   *inFlight
	hookCalls   *inFlight
	leaving     *inFlight // answered, and not gone yet
	sheds       shedCounter
	connections *connections.Group

	pictureBudgets
	renditions   *renditions
	sealing      *sealing
	defaultImage *defaultImage // nil = none is configured
	logSums      *logSums
	documents    documentCache
}

// New returns a Server, or an error that names every fault of the configuration. An endpoint for which no rule of access is
// written down is a fault too.
func New(cfg Config) (*Server, error) {
	return newServer(cfg, (*Server).surface)
}

// newServer is New for any surface.
func newServer(cfg Config, surfaceOf func(*Server) surface) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		config:         cfg,
		procedures:     make(map[string]*endpoint),
		refusals:       &refusals{record: cfg.Store.RecordRefusal, pause: refusalPause},
		unproven:       &refusals{record: cfg.Store.RecordRefusal, pause: unprovenPause},
		byAddress:      limit.NewRateLimiter[netip.Addr](cfg.AddressRate, maxCounted, cfg.Now),
		byCaller:       limit.NewRateLimiter[string](cfg.CallerRate, maxCounted, cfg.Now),
		reflections:    limit.NewRateLimiter[netip.Addr](reflectionRate, maxCounted, cfg.Now),
		invented:       limit.NewRateLimiter[string](inventedRate, maxCounted, cfg.Now),
		lookUps:        limit.NewRateLimiter[string](lookUpRate, maxCounted, cfg.Now),
		logSums:        &logSums{logger: cfg.Logger},
		pictureBudgets: newPictureBudgets(cfg.MaxUploads, cfg.Pictures.MaxUploadBytes()+maxFormBytes, cfg.Pictures.MaxMemory()),
		renditions:     newRenditions(cfg.RenditionBytes),
		sealing:        newSealing(),
		calls:          newInFlight(cfg.MaxRequests, cfg.MaxRequestsPerAddress, cfg.MaxHeaderBytes),
		openCalls:      newInFlight(maxOpen, openShare, cfg.MaxHeaderBytes),
		hookCalls:      newInFlight(maxHookCalls, hookShare, cfg.MaxHeaderBytes),
		leaving:        newInFlight(cfg.MaxRequests, cfg.MaxRequestsPerAddress, cfg.MaxHeaderBytes),
		sheds:          shedCounter{logger: cfg.Logger, now: cfg.Now},
	}
	if len(cfg.DefaultImage) > 0 {
		image, err := newDefaultImage(cfg.Pictures, cfg.DefaultImage)
		if err != nil {
			return nil, fmt.Errorf("server: DefaultImage: %w", err)
		}
		s.defaultImage = image
	}
	s.connections = s.newConnections()
	s.headers.New = func() any { return &headersOnly{header: make(http.Header)} }
	if err := s.mount(surfaceOf(s)); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler returns the handler of the whole surface. It needs no particular server around it, but must see paths as
// they were sent: http.ServeMux redirects "//" and ".." to other routes, so mount it as the server's handler or
// behind a multiplexer that leaves paths alone. Limits of the transport are those of [NewHTTPServer].
func (s *Server) Handler() http.Handler {
	return s.cors(http.HandlerFunc(s.serveCall))
}

func (c *Config) complete() error {
	var faults []error
	require := func(field string, there bool) {
		if !there {
			faults = append(faults, fmt.Errorf("server: %s is required", field))
		}
	}
	require("Store", c.Store != nil)
	require("Issuer", c.Issuer != "")
	require("Authenticator", c.Authenticator != nil)
	require("Permissions", c.Permissions != nil)
	if c.Realm == "" {
		c.Realm = "avatard"
	}
	if !quotable(c.Realm) {
		faults = append(faults, errors.New("server: Realm must be printable ASCII without quotes and backslashes"))
	}
	for _, name := range c.AllowedHeaders {
		if err := CheckHeaderName(name); err != nil {
			faults = append(faults, fmt.Errorf("server: AllowedHeaders: %w", err))
		}
	}
	faults = append(faults, c.checkHooks()...)
	if c.Pictures == nil {
		c.Pictures = picture.New(picture.Config{})
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ClientAddress == nil {
		c.ClientAddress = peerAddress
	}
	if c.NewRequestID == nil {
		c.NewRequestID = new(requestIDs).next
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RenditionBytes == 0 {
		c.RenditionBytes = DefaultRenditionBytes
	}
	c.MaxUploads = orDefault(c.MaxUploads, defaultUploads)
	c.MaxRequests = orDefault(c.MaxRequests, DefaultRequests)
	c.MaxRequestsPerAddress = min(orDefault(c.MaxRequestsPerAddress, DefaultRequestsPerAddress), c.MaxRequests)
	c.MaxConnections = orDefault(c.MaxConnections, DefaultConnections)
	c.MaxConnectionsPerAddress = min(orDefault(c.MaxConnectionsPerAddress, DefaultConnectionsPerAddress), c.MaxConnections)
	c.MaxHeaderBytes = orDefault(c.MaxHeaderBytes, DefaultHeaderBytes)
	c.IdleTimeout = orDefault(c.IdleTimeout, DefaultIdleTimeout)
	c.ShutdownGrace = orDefault(c.ShutdownGrace, MaxCallDuration+5*time.Second)
	return errors.Join(faults...)
}

// orDefault returns value if it is positive, else otherwise.
func orDefault[T int | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}

// quotable reports whether s can stand in a quoted-string (RFC 9110 section 5.6.4) as it is.
func quotable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ready asks the store and every check, for a request. It returns the names of those that are not ready, and logs why.
func (s *Server) ready(ctx context.Context) (ready bool, failed []string) {
	ready = true
	for _, check := range append([]Check{{Name: "storage", Ready: s.config.Store.Ready}}, s.config.Checks...) {
		if err := check.Ready(ctx); err != nil {
			failed = append(failed, check.Name)
			ready = ready && check.Advisory
			if c := callOf(ctx); s.hasLines(c, "") {
				s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a part is not well", slog.String("request", c.id), c.givenAttr(),
					slog.String("check", check.Name), slog.Bool("ready", check.Advisory), slog.String("error", c.printable(err.Error())))
			}
		}
	}
	return ready, failed
}
