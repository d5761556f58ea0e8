package embedded

import "flag"

var eachPlace = flag.Bool("each-place", false, "let files fail, and processes be killed, at each place, as it is done under the race detector; without it at one in four")

// placesApart returns how far places are apart at which something goes wrong, of those that are each much like the next. CI runs the same
// tests under the race detector, where they take minutes: that every place is tried once is enough.
func placesApart() int {
	if *eachPlace || raceDetector() {
		return 1
	}
	return 4
}
