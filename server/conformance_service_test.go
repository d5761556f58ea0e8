package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	conformancePackage = "connectrpc.conformance.v1."
	conformanceService = conformancePackage + "ConformanceService"
)

// registerConformance registers the suite's messages in this process. Their descriptors come from a file and their
// Go types are made at run time, so nothing of the suite is copied into this repository.
func registerConformance(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(raw, set); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	files.RangeFilesByPackage(protoreflect.FullName(strings.Trim(conformancePackage, ".")), func(fd protoreflect.FileDescriptor) bool {
		err = errors.Join(err, protoregistry.GlobalFiles.RegisterFile(fd), registerMessages(fd.Messages()))
		return true
	})
	return err
}

func registerMessages(messages protoreflect.MessageDescriptors) error {
	var err error
	for i := range messages.Len() {
		md := messages.Get(i)
		if !md.IsMapEntry() {
			err = errors.Join(err, protoregistry.GlobalTypes.RegisterMessage(dynamicpb.NewMessageType(md)), registerMessages(md.Messages()))
		}
	}
	return err
}

// conformanceMessage returns an empty message of the suite.
func conformanceMessage(name string) (proto.Message, error) {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(conformancePackage + name))
	if err != nil {
		return nil, err
	}
	return mt.New().Interface(), nil
}

// mountConformance adds the suite's service to a server, behind everything that our own procedures are behind.
// limit is the size of the largest message, 0 = our own. Unimplemented is left out, so that the server answers it as an unknown
// procedure.
func (s *Server) mountConformance(limit int) error {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(conformanceService)
	if err != nil {
		return err
	}
	unary := found.(protoreflect.ServiceDescriptor).Methods().ByName("Unary")
	options := append(wireOptions(), connect.WithSchema(unary), connect.WithRequestInitializer(
		func(_ connect.Spec, message any) error {
			*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(unary.Input())
			return nil
		}))
	if limit > 0 {
		options = append(options, connect.WithReadMaxBytes(limit))
	}
	path := "/" + conformanceService + "/Unary"
	s.services = append(s.services, conformanceService)
	p := procedure{handler: connect.NewUnaryHandler(path, s.conformanceUnary, options...), maxMessage: limit}
	s.procedures[path] = p.endpoint()
	s.procedures[path].rule = accessRule{self: true}
	return nil
}

// conformanceRequest is the part of a UnaryRequest, in its JSON form, that prescribes the answer.
type conformanceRequest struct {
	ResponseDefinition struct {
		ResponseHeaders, ResponseTrailers []conformanceHeader
		ResponseData                      []byte
		Error                             *struct {
			Code, Message string
			Details       []json.RawMessage
		}
		ResponseDelayMS int64
	}
}

type conformanceHeader struct {
	Name  string   `json:"name"`
	Value []string `json:"value"`
}

// conformanceUnary answers as the request prescribes, and describes the request in its answer.
func (s *Server) conformanceUnary(ctx context.Context, req *connect.Request[dynamicpb.Message]) (*connect.Response[dynamicpb.Message], error) {
	var asked conformanceRequest
	if text, err := protojson.Marshal(req.Msg); err != nil {
		return nil, err
	} else if err := json.Unmarshal(text, &asked); err != nil {
		return nil, err
	}
	info, err := conformanceInfo(ctx, req)
	if err != nil {
		return nil, err
	}
	want := asked.ResponseDefinition
	if delay := time.Duration(want.ResponseDelayMS) * time.Millisecond; delay > 0 {
		// All of it, whatever the deadline, as the suite prescribes. Its client has the same deadline as the call: an answer
		// at that moment would come while the client is giving up.
		<-time.After(delay)
		if err := ended(ctx); err != nil {
			return nil, s.connectError(callOf(ctx), toAPIError(ctx, err))
		}
	}
	if want.Error != nil {
		info["@type"] = "type.googleapis.com/" + conformancePackage + "ConformancePayload.RequestInfo"
		detail, err := json.Marshal(info)
		if err != nil {
			return nil, err
		}
		return nil, conformanceError(want.Error.Code, want.Error.Message, append(want.Error.Details, detail),
			append(want.ResponseHeaders, want.ResponseTrailers...))
	}
	text, err := json.Marshal(map[string]any{"payload": map[string]any{"data": want.ResponseData, "requestInfo": info}})
	if err != nil {
		return nil, err
	}
	message, err := conformanceMessage("UnaryResponse")
	if err != nil {
		return nil, err
	}
	if err := protojson.Unmarshal(text, message); err != nil {
		return nil, err
	}
	res := connect.NewResponse(message.(*dynamicpb.Message))
	addConformance(res.Header(), want.ResponseHeaders)
	addConformance(res.Trailer(), want.ResponseTrailers)
	return res, nil
}

// ended is ctx.Err, but counts a deadline that has passed though its timer is late.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err()
}

// conformanceInfo describes a request as the JSON form of a RequestInfo.
func conformanceInfo(ctx context.Context, req *connect.Request[dynamicpb.Message]) (map[string]any, error) {
	wrapped, err := anypb.New(req.Msg)
	if err != nil {
		return nil, err
	}
	echo, err := protojson.Marshal(wrapped)
	if err != nil {
		return nil, err
	}
	headers := []conformanceHeader{}
	for _, name := range slices.Sorted(maps.Keys(req.Header())) {
		headers = append(headers, conformanceHeader{Name: name, Value: req.Header()[name]})
	}
	info := map[string]any{"requests": []json.RawMessage{echo}, "requestHeaders": headers}
	// The suite expects its own time-outs in the answer, which are a few seconds. A longer one is the server's own.
	if deadline, _ := ctx.Deadline(); time.Until(deadline) < MaxCallDuration/2 {
		info["timeoutMs"] = time.Until(deadline).Milliseconds()
	}
	return info, nil
}

// conformanceError is the error that a request prescribes.
func conformanceError(code, message string, details []json.RawMessage, headers []conformanceHeader) error {
	var c connect.Code
	if err := c.UnmarshalText([]byte(strings.ToLower(strings.TrimPrefix(code, "CODE_")))); err != nil {
		return err
	}
	out := connect.NewError(c, errors.New(message))
	for _, text := range details {
		wrapped := new(anypb.Any)
		if err := protojson.Unmarshal(text, wrapped); err != nil {
			return err
		}
		detail, err := connect.NewErrorDetail(wrapped)
		if err != nil {
			return err
		}
		out.AddDetail(detail)
	}
	addConformance(out.Meta(), headers)
	return out
}

func addConformance(to http.Header, headers []conformanceHeader) {
	for _, h := range headers {
		for _, value := range h.Value {
			to.Add(h.Name, value)
		}
	}
}
