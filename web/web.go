// Package web has the files of the pages that a server shows. They are served as they are written: there is no build step.
//
//	docs.js, docs.css      the API reference, whose text package server/reference makes
//	signin.js, callback.*  signing in at the provider
package web

import "embed"

// Files are the files of the pages, by their names.
//
//go:embed *.js *.css *.html *.svg
var Files embed.FS
