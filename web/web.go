// Package web has the files of the pages that a server shows. They are served as they are written: there is no build step.
//
//	docs.js, docs.css      the API reference, whose text package server/reference makes
//	signin.js, callback.*  signing in at the provider
//	person.*, crop.js      the page for people, with its texts in one file a language
package web

import "embed"

// Files are the files of the pages, by their names.
//
//go:embed *.js *.css *.html *.svg *.json
var Files embed.FS
