module example.com/avatars

go 1.26.8

require (
	connectrpc.com/connect v1.21.1
	example.org/avatard v0.0.0
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20260819154853-08b0e4226688 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

// In this repository the module next door is meant. Elsewhere leave this line away.
replace example.org/avatard => ../..
