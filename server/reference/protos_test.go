package reference

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "example.org/avatard/gen/avatard/v1"
	_ "example.org/avatard/gen/zitadel/auth/v1"
	_ "example.org/avatard/gen/zitadel/management/v1"
)

// The files of the archive compile with nothing beside them, and say what is linked, but for the annotations.
func TestProtosStandAlone(t *testing.T) {
	archive, err := Protos()
	if err != nil {
		t.Fatal(err)
	}
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	var names []string
	for _, entry := range files.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		texts[entry.Name] = string(text)
		names = append(names, entry.Name)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(texts)})}
	compiled, err := compiler.Compile(t.Context(), names...)
	if err != nil {
		t.Fatal(err)
	}
	if len(compiled) != 6 {
		t.Errorf("%d files, want 6: %q", len(compiled), names)
	}
	for _, got := range compiled {
		linked, err := protoregistry.GlobalFiles.FindFileByPath(got.Path())
		if err != nil {
			t.Fatal(err)
		}
		if a, b := bare(protodesc.ToFileDescriptorProto(got)), bare(protodesc.ToFileDescriptorProto(linked)); !proto.Equal(a, b) {
			t.Errorf("%s says\n%v\nwant\n%v", got.Path(), a, b)
		}
	}
}

// bare takes away what the archive leaves out.
func bare(f *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	f.SourceCodeInfo = nil
	var imports []string
	for _, name := range f.GetDependency() {
		if name != "buf/validate/validate.proto" && name != "google/api/annotations.proto" {
			imports = append(imports, name)
		}
	}
	f.Dependency = imports
	for _, m := range f.GetMessageType() {
		for _, field := range m.GetField() {
			field.Options = nil
		}
	}
	for _, s := range f.GetService() {
		for _, m := range s.GetMethod() {
			m.Options = &descriptorpb.MethodOptions{IdempotencyLevel: m.GetOptions().IdempotencyLevel}
		}
	}
	return f
}
