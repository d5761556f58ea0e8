package bucket

import "sync/atomic"

// Requests counts the requests of a bucket since it was made.
type Requests struct{ put, get, deleted, list atomic.Int64 }

// Counts are numbers of requests by their kind. A listing of more than a thousand versions counts as one.
type Counts struct{ Put, Get, Delete, List int64 }

// Counts returns the numbers so far.
func (r *Requests) Counts() Counts {
	return Counts{r.put.Load(), r.get.Load(), r.deleted.Load(), r.list.Load()}
}
