package server

import "time"

const (
	// readBytes bounds the pictures in memory for readers who are known, and again for strangers: nobody without a token crowds out
	// those who have one.
	readBytes = 32 << 20
	// leastRead is what a small picture counts as.
	leastRead = 16 << 10
	// readTurns bounds the pictures that are being read from the store, for the known and for strangers.
	readTurns = 32
	// readPatience is how long a read waits for others of its own caller, or of its own address, and for its turn.
	readPatience = time.Second
)

// rooms are what pictures on their way share.
type rooms struct {
	arriving *places // bytes of uploads, by caller
	uploads  *places // uploads that are worked on, by caller
	decoding *places // memory for pictures that are being decoded and encoded, by caller

	known     readRoom // of readers with a token, by caller
	strangers readRoom // of readers without one, by address
}

// readRoom is where pictures for readers are.
type readRoom struct {
	bytes *places
	turns *places // at the store
}

// newRooms returns room for pictures, of which as many as uploads says are worked on at once. Each has at most so many bytes as it
// comes, and takes at most so much memory.
func newRooms(uploads, uploadBytes, memory int) rooms {
	reads := func() readRoom {
		return readRoom{bytes: newPlaces(readBytes, readPatience), turns: newPlaces(readTurns, readPatience)}
	}
	decoding := newShares(2*memory, memory, uploadPatience)
	decoding.inOrder = true
	return rooms{
		arriving:  newPlaces(max(maxArriving, 8*uploadBytes), uploadPatience),
		uploads:   newPlaces(uploads, uploadPatience),
		decoding:  decoding,
		known:     reads(),
		strangers: reads(),
	}
}

// stats tells how the rooms stand.
func (r *rooms) stats() map[string]PlaceStats {
	return map[string]PlaceStats{
		"upload_bytes": r.arriving.stats(), "upload_turns": r.uploads.stats(), "upload_memory": r.decoding.stats(),
		"read_bytes": r.known.bytes.stats(), "read_turns": r.known.turns.stats(),
		"public_read_bytes": r.strangers.bytes.stats(), "public_read_turns": r.strangers.turns.stats(),
	}
}
