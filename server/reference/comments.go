package reference

import (
	_ "embed"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// commented is a FileDescriptorSet of our own .proto files with their comments, which the descriptors that are linked into a program
// do not have. .tools/generate.sh makes it.
//
//go:embed api.binpb
var commented []byte

// ownFiles returns our own files with their comments.
func ownFiles() (*descriptorpb.FileDescriptorSet, error) {
	files := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(commented, files); err != nil {
		return nil, fmt.Errorf("reference: descriptors: %w", err)
	}
	return files, nil
}

// comments are those of the .proto files, by the full names of what they are about.
type comments map[protoreflect.FullName]string

func readComments() (comments, error) {
	files, err := ownFiles()
	if err != nil {
		return nil, err
	}
	found := comments{}
	for _, f := range files.GetFile() {
		file, err := protodesc.NewFile(f, protoregistry.GlobalFiles)
		if err != nil {
			return nil, fmt.Errorf("reference: descriptors: %w", err)
		}
		found.readFile(file)
	}
	return found, nil
}

func (c comments) readFile(file protoreflect.FileDescriptor) {
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		c.read(service)
		for j := range service.Methods().Len() {
			c.read(service.Methods().Get(j))
		}
	}
	for i := range file.Messages().Len() {
		message := file.Messages().Get(i)
		c.read(message)
		for j := range message.Fields().Len() {
			c.read(message.Fields().Get(j))
		}
	}
}

func (c comments) read(d protoreflect.Descriptor) {
	if text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments; text != "" {
		c[d.FullName()] = unwrap(text)
	}
}

func (c comments) of(d protoreflect.Descriptor) string { return c[d.FullName()] }

// unwrap joins the lines of each paragraph of a comment.
func unwrap(comment string) string {
	paragraphs := strings.Split(strings.TrimSpace(comment), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}
