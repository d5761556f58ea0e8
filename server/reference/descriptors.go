package reference

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Descriptors returns a FileDescriptorSet of the API with all that it imports, as tools take it (grpcurl -protoset). Each file comes
// behind those that it imports.
func Descriptors() ([]byte, error) {
	own, err := ownFiles()
	if err != nil {
		return nil, err
	}
	all, there := new(descriptorpb.FileDescriptorSet), map[string]bool{}
	var take func(protoreflect.FileDescriptor)
	take = func(file protoreflect.FileDescriptor) {
		if there[file.Path()] {
			return
		}
		there[file.Path()] = true
		for i := range file.Imports().Len() {
			take(file.Imports().Get(i).FileDescriptor)
		}
		all.File = append(all.File, protodesc.ToFileDescriptorProto(file))
	}
	for _, f := range own.GetFile() {
		file, err := protoregistry.GlobalFiles.FindFileByPath(f.GetName())
		if err != nil {
			return nil, err
		}
		take(file)
	}
	for i, f := range all.GetFile() {
		for _, with := range own.GetFile() {
			if with.GetName() == f.GetName() {
				all.File[i] = with
			}
		}
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(all)
}
