package server

import (
	"fmt"
	"iter"
	"net/http"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// procedure is one RPC as the RPC library handles it.
type procedure struct {
	handler http.Handler
	// unary: one message is the answer.
	unary bool
	// maxMessage bounds one message of the gRPC family, in bytes; the handler's own limit is the same. 0 = MaxMessageBytes.
	maxMessage int
}

// mountServices mounts services and the REST routes in their descriptors.
func (s *Server) mountServices(services []service) error {
	options, err := s.handlerOptions(services)
	if err != nil {
		return err
	}
	s.errorForm = connect.NewErrorWriter(options...)
	for _, service := range services {
		path, handler := service.handler(options...)
		s.services = append(s.services, strings.Trim(path, "/"))
		for method := range methodsOf(service.descriptor) {
			p := procedure{handler: handler, unary: !method.IsStreamingServer()}
			path := path + string(method.Name())
			if err := s.addProcedure(path, p.endpoint()); err != nil {
				return err
			}
			if err := s.mountREST(path, handler, method); err != nil {
				return err
			}
		}
	}
	return nil
}

// addProcedure mounts a procedure. Its path must be free: the one that was there would be unreachable.
func (s *Server) addProcedure(path string, e *endpoint) error {
	if s.procedures[path] != nil {
		return fmt.Errorf("server: the procedure %s is served twice", path)
	}
	s.procedures[path] = e
	return nil
}

func methodsOf(service protoreflect.ServiceDescriptor) iter.Seq[protoreflect.MethodDescriptor] {
	return func(yield func(protoreflect.MethodDescriptor) bool) {
		for i := range service.Methods().Len() {
			if !yield(service.Methods().Get(i)) {
				return
			}
		}
	}
}

// handlerOptions are those of every RPC handler, and of the writer of errors beside them.
func (s *Server) handlerOptions(services []service) ([]connect.HandlerOption, error) {
	var requests []protovalidate.ValidatorOption
	for _, service := range services {
		for method := range methodsOf(service.descriptor) {
			requests = append(requests, protovalidate.WithMessageDescriptors(method.Input()))
		}
	}
	// Compile the rules of all requests now: a faulty rule is found at start-up, and no call pays for it.
	validator, err := protovalidate.New(append(requests, protovalidate.WithDisableLazy())...)
	if err != nil {
		return nil, fmt.Errorf("server: validation rules: %w", err)
	}
	interceptors := append([]connect.Interceptor{keepOutcome{}}, s.config.Interceptors...)
	return append(wireOptions(), connect.WithInterceptors(append(interceptors, validateAndReport{s, validator})...)), nil
}

// wireOptions say how messages are read and written: encodings, compression, limits.
func wireOptions() []connect.HandlerOption {
	return []connect.HandlerOption{
		connect.WithCodec(protoCodec{}),
		connect.WithCodec(jsonCodec{name: "json"}),
		connect.WithCodec(jsonCodec{name: "json; charset=utf-8"}),
		withGzip(),
		connect.WithCompressMinBytes(1 << 10), // answers are smaller than a gzip header is worth
		connect.WithReadMaxBytes(MaxMessageBytes),
	}
}

// endpoint returns the endpoint that serves the procedure.
func (p procedure) endpoint() *endpoint {
	return &endpoint{serve: func(w http.ResponseWriter, r *http.Request, _ []string) error { return p.serve(w, r) }}
}

// serve hands a request that was let in to the RPC library.
func (p procedure) serve(w http.ResponseWriter, r *http.Request) error {
	r.Body = newMessageBody(w, r, orDefault(p.maxMessage, MaxMessageBytes))
	if err := checkEnvelope(r); err != nil {
		return err
	}
	switch form := callOf(r.Context()).form; {
	case !p.unary:
		boundStream(w, r)
	case form == formGRPC && r.ProtoMajor > 1: // over HTTP/1.1 the trailers depend on the flush
		w = noFlushWriter{w}
		// Proxies (nginx, HAProxy) pass an answer of known length on without its trailers, which hold the outcome.
		w.Header()["Content-Length"] = nil
	case form == formGRPCWeb:
		w = noFlushWriter{w}
	}
	p.handler.ServeHTTP(w, r)
	return nil
}

// checkEnvelope refuses headers that the RPC library would refuse too: its answer would repeat their values.
func checkEnvelope(r *http.Request) error {
	c := callOf(r.Context())
	if c.form == formConnect {
		if version := r.Header.Get("Connect-Protocol-Version"); version != "" && version != "1" {
			return &apiError{reason: invalidRequest, message: "Connect-Protocol-Version must be 1"}
		}
	}
	switch r.Header.Get(codingHeader(r.Header, c.form)) {
	case "", "identity", "gzip":
		return nil
	}
	return &apiError{reason: unknownCompression}
}
