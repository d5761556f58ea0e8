package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"example.org/avatard/authz/limit"
)

// Limits of reflection. Everyone may ask, a question takes twenty bytes, and its answer takes up to seventy thousand.
const (
	// maxReflectionRequests bounds the requests of one stream: tools ask for the services, for each of them, and for types in errors.
	maxReflectionRequests = 64
	// maxReflectionBytes bounds the answers of one stream. All files of the program together have less than half of it.
	maxReflectionBytes = 256 << 10
	// reflectionIdle is how long nothing may arrive on a stream, in particular between two requests.
	reflectionIdle = 5 * time.Second
)

// reflectionRate bounds the streams from one address. One run of a tool takes one or two.
var reflectionRate = limit.Rate{PerSecond: 5, Burst: 50}

// mountReflection adds the procedures that describe services to everyone, in both versions of gRPC's protocol.
func (s *Server) mountReflection(services []string) error {
	files, err := newReflectedFiles()
	if err != nil {
		return err
	}
	reflector := grpcreflect.NewReflector(grpcreflect.NamerFunc(func() []string { return services }), grpcreflect.WithDescriptorResolver(files))
	options := []connect.HandlerOption{connect.WithReadMaxBytes(MaxMessageBytes), connect.WithInterceptors(reflectionLimits{})}
	_, v1 := grpcreflect.NewHandlerV1(reflector, options...)
	_, v1alpha := grpcreflect.NewHandlerV1Alpha(reflector, options...)
	for i, handler := range [...]http.Handler{v1, v1alpha} {
		service := reflectionServices[i]
		s.services = append(s.services, service)
		e := procedure{handler: limitSilence(handler)}.endpoint()
		e.stream = true
		if err := s.addProcedure(reflectionPath(service), e); err != nil {
			return err
		}
	}
	return nil
}

// reflectionServices are both versions of gRPC's protocol.
var reflectionServices = [...]string{grpcreflect.ReflectV1ServiceName, grpcreflect.ReflectV1AlphaServiceName}

// reflectionPath is the path of the one procedure of such a service.
func reflectionPath(service string) string { return "/" + service + "/ServerReflectionInfo" }

// limitSilence bounds how long nothing may arrive on a stream.
func limitSilence(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &idleTimeoutBody{ReadCloser: r.Body, ctx: r.Context(), control: http.NewResponseController(w)}
		next.ServeHTTP(w, r)
	})
}

// idleTimeoutBody is a body each piece of which must arrive within reflectionIdle.
type idleTimeoutBody struct {
	io.ReadCloser
	ctx     context.Context
	control *http.ResponseController
}

func (b *idleTimeoutBody) Read(p []byte) (int, error) {
	until := time.Now().Add(reflectionIdle)
	if end, ok := b.ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	_ = b.control.SetReadDeadline(until) // the call has a deadline anyway
	return b.ReadCloser.Read(p)
}

// reflectionLimits bounds each stream, in whatever form it comes.
type reflectionLimits struct{}

func (reflectionLimits) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

func (reflectionLimits) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (reflectionLimits) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		err := next(ctx, &reflectionStream{StreamingHandlerConn: conn, sent: make(map[string]bool)})
		if err != nil {
			callOf(ctx).outcome = connect.CodeOf(err).String() // Connect says it at the end of the body only
		}
		return err
	}
}

// reflectionStream is one stream of reflection within its limits.
type reflectionStream struct {
	connect.StreamingHandlerConn
	requests, bytes int
	sent            map[string]bool // files, by name
}

// Receive returns the next request that needs the library. It describes the file that was asked for each time anew, which
// takes a millisecond; a client that has the file already is answered here.
func (c *reflectionStream) Receive(request any) error {
	for {
		if err := c.StreamingHandlerConn.Receive(request); err != nil {
			return err
		}
		if c.requests++; c.requests > maxReflectionRequests {
			return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("one stream has %d requests at most", maxReflectionRequests))
		}
		message, ok := request.(proto.Message)
		if !ok || !c.sent[fileAsked(message.ProtoReflect())] {
			return nil
		}
		nothing, err := nothingNew(message.ProtoReflect())
		if err != nil {
			return err
		}
		if err := c.Send(nothing); err != nil {
			return err
		}
	}
}

// fileAsked returns the name of the file that a request is about, "" when it cannot be told.
func fileAsked(request protoreflect.Message) string {
	asked := request.WhichOneof(request.Descriptor().Oneofs().ByName("message_request"))
	if asked == nil {
		return ""
	}
	switch asked.Name() {
	case "file_by_filename":
		return request.Get(asked).String()
	case "file_containing_symbol":
		if found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(request.Get(asked).String())); err == nil {
			return found.ParentFile().Path()
		}
	case "file_containing_extension":
		extension := request.Get(asked).Message()
		fields := extension.Descriptor().Fields()
		extended := protoreflect.FullName(extension.Get(fields.ByName("containing_type")).String())
		number := protoreflect.FieldNumber(extension.Get(fields.ByName("extension_number")).Int())
		if found, err := protoregistry.GlobalTypes.FindExtensionByNumber(extended, number); err == nil {
			return found.TypeDescriptor().ParentFile().Path()
		}
	}
	return ""
}

// nothingNew is the answer to a client that has the file: none.
func nothingNew(request protoreflect.Message) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(request.Descriptor().FullName().Parent().Append("ServerReflectionResponse"))
	if err != nil {
		return nil, err
	}
	answer := kind.New()
	fields := answer.Descriptor().Fields()
	answer.Set(fields.ByName("valid_host"), request.Get(request.Descriptor().Fields().ByName("host")))
	answer.Set(fields.ByName("original_request"), protoreflect.ValueOfMessage(request))
	answer.Set(fields.ByName(filesFound), answer.NewField(fields.ByName(filesFound)))
	return answer.Interface(), nil
}

// filesFound is the field of an answer that holds files.
const filesFound = "file_descriptor_response"

func (c *reflectionStream) Send(answer any) error {
	if message, ok := answer.(proto.Message); ok {
		if err := c.dropSent(message.ProtoReflect()); err != nil {
			return err
		}
		if c.bytes += proto.Size(message); c.bytes > maxReflectionBytes {
			return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("one stream has %d bytes of answers at most", maxReflectionBytes))
		}
	}
	return c.StreamingHandlerConn.Send(answer)
}

// dropSent takes the files out of an answer that the stream has had, as grpc/reflection/v1/reflection.proto allows.
func (c *reflectionStream) dropSent(answer protoreflect.Message) error {
	field := answer.Descriptor().Fields().ByName(filesFound)
	if field == nil || !answer.Has(field) {
		return nil
	}
	response := answer.Mutable(field).Message()
	list := response.Mutable(response.Descriptor().Fields().ByName("file_descriptor_proto")).List()
	kept := 0
	for i := range list.Len() {
		name, err := fileName(list.Get(i).Bytes())
		if err != nil {
			return err
		}
		if !c.sent[name] {
			c.sent[name] = true
			list.Set(kept, list.Get(i))
			kept++
		}
	}
	list.Truncate(kept)
	return nil
}

// fileName returns the name of an encoded FileDescriptorProto, whose first field it is.
func fileName(file []byte) (string, error) {
	number, kind, n := protowire.ConsumeTag(file)
	if n < 0 || number != 1 || kind != protowire.BytesType {
		return "", errors.New("a file without a name")
	}
	name, n := protowire.ConsumeString(file[n:])
	return name, protowire.ParseError(n)
}
