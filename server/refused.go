package server

import "log/slog"

// actorAttr names those who act in the caller's place for a log line, where there are any.
func (c *call) actorAttr() slog.Attr {
	if len(c.caller.Actors) == 0 {
		return slog.Attr{} // handlers leave it out
	}
	return slog.Any("actor", c.caller.Actors)
}

// refusedAttr is why the token was refused for a log line, where it was.
func (c *call) refusedAttr() slog.Attr {
	switch {
	case c.refused == nil:
		return slog.Attr{}
	case c.refused.Detail == "":
		return slog.String("reason", string(c.refused.Reason))
	}
	return slog.Group("", slog.String("reason", string(c.refused.Reason)), slog.String("detail", c.printable(c.refused.Detail)))
}
