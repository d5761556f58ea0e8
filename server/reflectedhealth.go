package server

import (
	"fmt"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// healthFile is gRPC's grpc/health/v1/health.proto with what is served of it. Watch and List are not: a stream of Watch lasts for as long as
// its caller likes, and everybody may call. Clients that are told so do without.
const healthFile = `
name: "grpc/health/v1/health.proto" package: "grpc.health.v1" syntax: "proto3"
message_type { name: "HealthCheckRequest" field { name: "service" json_name: "service" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } }
message_type { name: "HealthCheckResponse"
  field { name: "status" json_name: "status" number: 1 type: TYPE_ENUM type_name: ".grpc.health.v1.HealthCheckResponse.ServingStatus" label: LABEL_OPTIONAL }
  enum_type { name: "ServingStatus" value { name: "UNKNOWN" number: 0 } value { name: "SERVING" number: 1 }
    value { name: "NOT_SERVING" number: 2 } value { name: "SERVICE_UNKNOWN" number: 3 } } }
service { name: "Health" method { name: "Check" input_type: ".grpc.health.v1.HealthCheckRequest" output_type: ".grpc.health.v1.HealthCheckResponse" } }`

// reflectedFiles finds what reflection describes: the files of the program, and the health service, whose library has its file under another
// name.
type reflectedFiles struct{ health protoreflect.FileDescriptor }

func newReflectedFiles() (reflectedFiles, error) {
	file := new(descriptorpb.FileDescriptorProto)
	err := prototext.Unmarshal([]byte(healthFile), file)
	if err != nil {
		return reflectedFiles{}, fmt.Errorf("server: %w", err)
	}
	health, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return reflectedFiles{}, fmt.Errorf("server: %w", err)
	}
	return reflectedFiles{health}, nil
}

// FindFileByPath finds a file by its name.
func (r reflectedFiles) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if path == r.health.Path() {
		return r.health, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// FindDescriptorByName finds a service, a message or what is in one.
func (r reflectedFiles) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if name == r.health.Services().Get(0).FullName() {
		return r.health.Services().Get(0), nil
	}
	for i := range r.health.Messages().Len() {
		if message := r.health.Messages().Get(i); name == message.FullName() {
			return message, nil
		}
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}
