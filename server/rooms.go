package server

import "time"

// rooms are what pictures on their way share, in bytes or in turns.
type rooms struct {
	arriving *places[string] // bytes of uploads, by caller
	uploads  *places[string] // uploads that are worked on, by caller
	reads    *places[string]
}

// newRooms returns room for pictures, of which as many as uploads says are worked on at once.
func newRooms(uploads int) rooms {
	return rooms{
		arriving: newPlaces[string](maxArriving, uploadPatience),
		uploads:  newPlaces[string](uploads, uploadPatience),
		reads:    newPlaces[string](maxReads, time.Second),
	}
}
