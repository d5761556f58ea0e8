// Package api has the .proto files of the API, which are the source of gen/.
package api

import "embed"

// Files are the .proto files, under the paths by which they import each other.
//
//go:embed zitadel avatard
var Files embed.FS
