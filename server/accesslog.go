package server

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"example.org/avatard/storage"
)

// actorAttr names in a log line the parties that act in the caller's place, if there are any.
func (c *call) actorAttr() slog.Attr {
	if len(c.caller.Actors) == 0 {
		return slog.Attr{} // handlers leave it out
	}
	return slog.Any("actor", c.caller.Actors)
}

// refusedAttr tells a log line why the token was refused, if it was.
func (c *call) refusedAttr() slog.Attr {
	switch {
	case c.refused == nil:
		return slog.Attr{}
	case c.refused.Detail == "":
		return slog.String("reason", string(c.refused.Reason))
	}
	return slog.Group("", slog.String("reason", string(c.refused.Reason)), slog.String("detail", c.printable(c.refused.Detail)))
}

// recordFailure records an error: its code for the access log, its full text in the log, and in the audit trail.
func (s *Server) recordFailure(ctx context.Context, c *call, f *apiError) {
	o := errorTable[f.reason]
	c.outcome, c.status, c.refused = o.outcome(), o.status, f.refused
	if f.cause != nil && s.hasLines(c, o.code.String()) {
		level := slog.LevelWarn
		switch f.reason {
		case internal:
			level = slog.LevelError
		case callerGone: // nobody's fault here
			level = slog.LevelDebug
		}
		s.config.Logger.LogAttrs(ctx, level, "call failed", slog.String("request", c.id), c.givenAttr(), slog.String("action", c.action),
			slog.String("code", c.outcome), slog.String("error", c.printable(f.cause.Error())))
	}
	if !o.audited || !c.identified {
		return
	}
	s.refusals.add(storage.Refusal{By: c.origin(), Organization: c.organization, Target: c.user, Action: c.action, Reason: c.outcome})
}

// printable makes the text of an inner error fit for the log. It cuts the text, since providers answer with whole pages, and strikes
// out the caller's token, in case the text holds it.
func (c *call) printable(text string) string {
	for _, value := range c.credentials {
		for word := range strings.FieldsSeq(value) {
			if len(word) > len("Bearer") {
				text = strings.ReplaceAll(text, word, "[token]")
			}
		}
	}
	const limit = 1 << 10
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// logCall writes the access log, or counts the call for a sum. It names the route, or the path where there is no route. Of headers,
// query and body it has only the caller's id of the request and the user whose picture was changed.
func (s *Server) logCall(ctx context.Context, c *call, w *statusWriter, path string, took time.Duration) {
	outcome := c.outcome
	if outcome == "" {
		outcome = w.code()
	}
	level := slog.LevelInfo
	if outcome == errorTable[callerGone].code.String() {
		level = slog.LevelDebug // a caller that leaves says nothing about the server
	}
	if !s.config.Logger.Enabled(ctx, level) {
		return
	}
	if !s.hasLines(c, outcome) {
		s.logSums.count(c.network, outcome)
		return
	}
	var where slog.Attr
	if c.action == "" {
		where = slog.String("path", c.printablePath(path))
	}
	s.config.Logger.LogAttrs(ctx, level, "call",
		slog.String("request", c.id), c.givenAttr(), slog.String("action", c.action), where, slog.String("form", string(c.form)),
		slog.Int("status", w.status), slog.String("code", outcome), slog.Duration("took", took),
		slog.String("caller", c.caller.Subject), c.actorAttr(), slog.String("organisation", c.organization), c.userAttr(),
		slog.String("address", c.address), c.refusedAttr())
}

// printablePath makes a path without a route fit for the log, whose handlers quote it. A long segment may be a token that strayed into
// the path; its beginning tells what it is.
func (c *call) printablePath(path string) string {
	const limit, longSegment, shown = 200, 40, 8
	segments := strings.Split(path[:min(len(path), limit)], "/")
	for i, segment := range segments {
		if len(segment) > longSegment {
			segments[i] = segment[:shown] + "…"
		}
	}
	if len(path) > limit {
		segments = append(segments, "…")
	}
	return c.printable(strings.ToValidUTF8(strings.Join(segments, "/"), "\uFFFD"))
}

// userAttr names in a log line the user whose picture is changed, if one is.
func (c *call) userAttr() slog.Attr {
	if !c.changes {
		return slog.Attr{} // handlers leave it out
	}
	return slog.String("user", c.user)
}

// givenAttr is the caller's own id of the request for a log line, if there is one.
func (c *call) givenAttr() slog.Attr {
	if c.given == "" {
		return slog.Attr{} // handlers leave it out
	}
	return slog.String("caller_request", c.given)
}
