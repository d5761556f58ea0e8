// Package web has the files of the pages that a server shows. They are served as they are written: there is no build step.
//
//	docs.js, docs.css      the API reference, whose text package server/reference makes
//	signin.js, callback.*  signing in at the provider
//	person.*               the page for people, with its texts in one file a language: who is signed in, and which view is shown
//	picture.js, crop.js    its view of one person's picture
//	users.js, receipts.js  its views of an organisation's users and receipts
//	call.js, work.js, list.js  calls and their failures; one thing at a time; pages of lists
package web

import "embed"

// Files are the files of the pages, by their names.
//
//go:embed *.js *.css *.html *.svg *.json
var Files embed.FS
