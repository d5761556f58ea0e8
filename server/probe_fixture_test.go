package server

import (
	"context"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/structpb" // which the probe's file names
	"google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"

	zitadelv1 "example.org/avatard/gen/zitadel/v1"
)

// probeFile describes a service for tests. Its answers have a second field, which is the request.
const probeFile = `
name: "probe/v1/probe.proto" package: "probe.v1" syntax: "proto3"
dependency: ["zitadel/v1/object.proto", "google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto", "google/protobuf/struct.proto", "google/api/annotations.proto"]
enum_type { name: "Order" value { name: "ORDER_UNSPECIFIED" number: 0 } value { name: "NEWEST" number: 1 } }
message_type { name: "Filter"
  field { name: "name_part" json_name: "namePart" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "filter" json_name: "filter" number: 2 type: TYPE_MESSAGE type_name: ".probe.v1.Filter" label: LABEL_OPTIONAL } }
message_type { name: "Request"
  field { name: "user_id" json_name: "userId" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "page_size" json_name: "pageSize" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "tags" json_name: "tags" number: 3 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "deep" json_name: "deep" number: 4 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "filter" json_name: "filter" number: 5 type: TYPE_MESSAGE type_name: ".probe.v1.Filter" label: LABEL_OPTIONAL }
  field { name: "since" json_name: "since" number: 6 type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" label: LABEL_OPTIONAL }
  field { name: "order" json_name: "order" number: 7 type: TYPE_ENUM type_name: ".probe.v1.Order" label: LABEL_OPTIONAL }
  field { name: "hidden" json_name: "hidden" number: 8 type: TYPE_MESSAGE type_name: ".google.protobuf.BoolValue" label: LABEL_OPTIONAL }
  field { name: "least" json_name: "least" number: 9 type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "by_name" json_name: "byName" number: 10 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "by_filter" json_name: "byFilter" number: 11 type: TYPE_MESSAGE type_name: ".probe.v1.Filter" label: LABEL_OPTIONAL oneof_index: 0 }
  oneof_decl { name: "by" } }
message_type { name: "Response"
  field { name: "details" json_name: "details" number: 1 type: TYPE_MESSAGE type_name: ".zitadel.v1.ObjectDetails" label: LABEL_OPTIONAL }
  field { name: "request" json_name: "request" number: 2 type: TYPE_MESSAGE type_name: ".probe.v1.Request" label: LABEL_OPTIONAL } }
service { name: "ProbeService"
  method { name: "List" input_type: ".probe.v1.Request" output_type: ".probe.v1.Response"
    options { [google.api.http] { get: "/probe/v1/users/{user_id}/things" } } }
  method { name: "Create" input_type: ".probe.v1.Request" output_type: ".probe.v1.Response"
    options { [google.api.http] { post: "/probe/v1/users/{user_id}/things" body: "*" } } }
  method { name: "Narrow" input_type: ".probe.v1.Request" output_type: ".probe.v1.Response"
    options { [google.api.http] { post: "/probe/v1/users/{user_id}/filter" body: "filter" additional_bindings { post: "/probe/v1/tags" body: "tags" }
      additional_bindings { post: "/probe/v1/named" body: "by_name" } } } } }`

// probeDetails stand in every answer of the probe.
func probeDetails() *zitadelv1.ObjectDetails {
	at := &timestamppb.Timestamp{Seconds: 1683885731}
	return &zitadelv1.ObjectDetails{Sequence: 2, ResourceOwner: acme, CreationDate: at, ChangeDate: at}
}

// probeAnswer is an answer with details, as those of our own API are.
type probeAnswer struct{ *dynamicpb.Message }

func (probeAnswer) GetDetails() *zitadelv1.ObjectDetails { return probeDetails() }

// probeService returns the service. Each of its calls ends with err unless that is nil. change may alter its description.
func probeService(t *testing.T, err error, change func(*descriptorpb.FileDescriptorProto)) service {
	t.Helper()
	described := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal([]byte(probeFile), described); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(described)
	}
	file, faulty := protodesc.NewFile(described, protoregistry.GlobalFiles)
	if faulty != nil {
		t.Fatal(faulty)
	}
	found := file.Services().Get(0)
	path := "/" + string(found.FullName()) + "/"
	return service{found, func(options ...connect.HandlerOption) (string, http.Handler) {
		handlers := http.NewServeMux()
		for method := range methodsOf(found) {
			initialize := connect.WithRequestInitializer(func(_ connect.Spec, message any) error {
				*message.(*dynamicpb.Message) = *dynamicpb.NewMessage(method.Input())
				return nil
			})
			answer := func(_ context.Context, req *dynamicpb.Message) (*probeAnswer, error) {
				res := dynamicpb.NewMessage(method.Output())
				fields := method.Output().Fields()
				details, marshalled := proto.Marshal(probeDetails())
				if marshalled != nil {
					return nil, marshalled
				}
				if err := proto.Unmarshal(details, res.Mutable(fields.ByName("details")).Message().Interface()); err != nil {
					return nil, err
				}
				res.Set(fields.ByName("request"), protoreflect.ValueOfMessage(req))
				return &probeAnswer{res}, err
			}
			name := path + string(method.Name())
			handlers.Handle(name, connect.NewUnaryHandlerSimple(name, answer, append(options, connect.WithSchema(method), initialize)...))
		}
		return path, handlers
	}}
}

// startProbe starts a server that has the probe beside its own services. Every call of it needs user.write.
func startProbe(t *testing.T, end error) *fixture {
	t.Helper()
	f := start(t, nil)
	service := probeService(t, end, nil)
	server, err := newServer(f.server.config, func(s *Server) surface { return withProbe(s, service) })
	if err != nil {
		t.Fatal(err)
	}
	f.serve(t, server)
	return f
}

func withProbe(s *Server, probe service) surface {
	all := s.surface()
	all.services = append(all.services, probe)
	for method := range methodsOf(probe.descriptor) {
		all.rules["/"+string(probe.descriptor.FullName())+"/"+string(method.Name())] = accessRule{need: "user.write"}
	}
	return all
}

// httpRule is the annotation of the first method, which may be changed.
func httpRule(file *descriptorpb.FileDescriptorProto) *annotations.HttpRule {
	return proto.GetExtension(file.GetService()[0].GetMethod()[0].GetOptions(), annotations.E_Http).(*annotations.HttpRule)
}
