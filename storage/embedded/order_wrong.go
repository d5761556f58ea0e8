//go:build wrongorder

package embedded

import "os"

// wrongOrder is one of the orders in order.go, or empty for the right one.
var wrongOrder = os.Getenv("WRONG_ORDER")
