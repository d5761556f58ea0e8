package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authv1 "avatard/gen/zitadel/auth/v1"
	authconnect "avatard/gen/zitadel/auth/v1/authv1connect"
	managementv1 "avatard/gen/zitadel/management/v1"
	managementconnect "avatard/gen/zitadel/management/v1/managementv1connect"
)

// procedure is one RPC as it is mounted.
type procedure struct {
	handler http.Handler
	// rule says who may call; ignored where open.
	rule access
	// open: anyone may call, without a token (health and reflection).
	open bool
	// unary: one message is the answer.
	unary bool
	// stream: any number of messages are the request.
	stream bool
	// maxMessage bounds one message of the gRPC family, in bytes; the handler's own limit is the same. 0 = MaxMessageBytes.
	maxMessage int
}

// mountRPC mounts our services and the REST routes in their descriptors. Every procedure needs a rule of access.
func (s *Server) mountRPC(rules map[string]access) error {
	files := []protoreflect.FileDescriptor{
		managementv1.File_zitadel_management_v1_management_proto,
		authv1.File_zitadel_auth_v1_auth_proto,
	}
	options, err := s.handlerOptions(files)
	if err != nil {
		return err
	}
	s.errorForm = connect.NewErrorWriter(options...)
	handlers := make(map[string]http.Handler)
	mount := func(path string, handler http.Handler) { handlers[strings.Trim(path, "/")] = handler }
	mount(managementconnect.NewManagementServiceHandler(management{s}, options...))
	mount(authconnect.NewAuthServiceHandler(auth{s}, options...))

	for method := range methodsOf(files) {
		service := string(method.Parent().FullName())
		path := "/" + service + "/" + string(method.Name())
		rule, listed := rules[path]
		if !listed || handlers[service] == nil {
			return fmt.Errorf("server: procedure %s has no rule of access or no handler", path)
		}
		delete(rules, path)
		p := procedure{handler: handlers[service], rule: rule, unary: !method.IsStreamingServer()}
		s.procedures[path] = p
		if err := s.mountREST(path, p, method); err != nil {
			return err
		}
	}
	for path := range rules { // those with a procedure are deleted by now
		return fmt.Errorf("server: a rule of access names the unknown procedure %s", path)
	}
	for service := range handlers {
		s.services = append(s.services, service)
	}
	return nil
}

// methodsOf iterates over the methods of all services of some files.
func methodsOf(files []protoreflect.FileDescriptor) func(func(protoreflect.MethodDescriptor) bool) {
	return func(yield func(protoreflect.MethodDescriptor) bool) {
		for _, file := range files {
			for i := range file.Services().Len() {
				methods := file.Services().Get(i).Methods()
				for j := range methods.Len() {
					if !yield(methods.Get(j)) {
						return
					}
				}
			}
		}
	}
}

// handlerOptions are those of every RPC handler, and of whatever writes errors beside them.
func (s *Server) handlerOptions(files []protoreflect.FileDescriptor) ([]connect.HandlerOption, error) {
	var requests []protovalidate.ValidatorOption
	for method := range methodsOf(files) {
		requests = append(requests, protovalidate.WithMessageDescriptors(method.Input()))
	}
	// Compile the rules of all requests now: a faulty rule is found at start-up, and no call pays for it.
	validator, err := protovalidate.New(append(requests, protovalidate.WithDisableLazy())...)
	if err != nil {
		return nil, fmt.Errorf("server: validation rules: %w", err)
	}
	return append(wireOptions(), connect.WithInterceptors(append(slices.Clone(s.config.Interceptors), s.validateAndReport(validator))...)), nil
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

// validateAndReport checks the rules of the request and turns every error of a handler into one of the error table.
func (s *Server) validateAndReport(validator protovalidate.Validator) connect.Interceptor {
	return connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			res, err := connect.AnyResponse(nil), checkRules(validator, req.Any())
			if err == nil {
				res, err = next(ctx, req)
			}
			c := callOf(ctx)
			if err == nil {
				c.answer, _ = res.Any().(proto.Message)
				return res, nil
			}
			f := failureOf(ctx, err)
			target, _ := req.Any().(interface{ GetUserId() string })
			if target != nil {
				s.note(ctx, c, f, target.GetUserId())
			} else {
				s.note(ctx, c, f, c.caller.Subject)
			}
			return nil, s.answer(c, f)
		}
	})
}

// singular finds what the library of rules says of one thing: "at least 1 characters".
var singular = regexp.MustCompile(`\b1 (character|byte|item|pair)s\b`)

// checkRules words a violation itself: what the caller sent does not come back.
func checkRules(validator protovalidate.Validator, request any) error {
	message, ok := request.(proto.Message)
	if !ok {
		return errors.New("request is no protobuf message")
	}
	err := validator.Validate(message)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return err
	}
	var faults []string
	for _, v := range broken.Violations {
		v.Proto.SetMessage(singular.ReplaceAllString(v.Proto.GetMessage(), "1 $1"))
		faults = append(faults, protovalidate.FieldPathString(v.Proto.GetField())+": "+v.Proto.GetMessage())
	}
	return &failure{situation: invalidRequest, violations: broken.ToProto(),
		message: "invalid request: " + strings.Join(faults, "; ")}
}

// serveProcedure lets a request through to its handler. Everything that can be decided without the body is decided
// here, outside the RPC library: its interceptors run after it has read and decoded the body, and its request gates
// after it has answered unknown media types, compressions and time-outs.
func (s *Server) serveProcedure(w http.ResponseWriter, r *http.Request, p procedure) {
	if p.open {
		w.Header()["X-Content-Type-Options"] = []string{"nosniff"}
	} else {
		if err := s.admit(r, p.rule); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	if err := checkEnvelope(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	switch form := callOf(r.Context()).form; {
	case !p.unary:
	case form == formGRPC && r.ProtoMajor > 1: // over HTTP/1.1 the trailers depend on the flush
		w = wholeAnswer{w}
		// Proxies (nginx, HAProxy) pass an answer of known length on without its trailers, which hold the outcome.
		w.Header()["Content-Length"] = nil
	case form == formGRPCWeb:
		w = wholeAnswer{w}
	}
	p.handler.ServeHTTP(w, r)
}

// wholeAnswer keeps an answer together until the handler returns. The RPC library flushes each message by itself; what
// would be of use in a stream are packets and system calls here, and times that the client wakes up.
type wholeAnswer struct{ http.ResponseWriter }

// Flush does nothing.
func (wholeAnswer) Flush() {}

func (w wholeAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// checkEnvelope refuses what the RPC library would refuse too, but while repeating the header's value.
func checkEnvelope(r *http.Request) error {
	c := callOf(r.Context())
	if c.badTimeout {
		return errBadTimeout()
	}
	if c.form == formConnect {
		if version := r.Header.Get("Connect-Protocol-Version"); version != "" && version != "1" {
			return &failure{situation: invalidRequest, message: "Connect-Protocol-Version must be 1"}
		}
	}
	switch r.Header.Get(codingHeader(c.form)) {
	case "", "identity", "gzip":
		return nil
	}
	return &failure{situation: unknownCompression}
}
