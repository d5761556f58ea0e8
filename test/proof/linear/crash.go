package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"example.org/avatard/storage/embedded"
)

// crash says when the server is killed.
type crash struct {
	// calls is how long the history is by then, at least, and delay how long after that the kill comes from outside.
	calls int
	delay time.Duration
	// failpoint is where the server ends itself before, at the pass-th time; "" for nowhere.
	failpoint string
	pass      int
	// The start after it, too, is ended: at recovery, a failpoint, or after some time; "" and 0 when it is left alone.
	recovery string
	again    time.Duration
}

const (
	maxDelay = 5 * time.Millisecond
	maxAgain = 120 * time.Millisecond
	maxPass  = 30
	// endOfUser begins the failpoints that only erasures of users pass, of which there are fewer.
	endOfUser  = "erase-user-"
	maxEndPass = 4
)

// crashes deals the calls of a history to the times between kills. The first kill, before which everybody is registered,
// and the last one, at the history's end, come from outside, those between at failpoints: histories with consecutive
// seeds go through all of them.
func crashes(seed uint64, calls, kills int) []crash {
	random := rand.New(rand.NewPCG(seed, 0x6b696c6c))
	changing := failpoints("reserve", "activate", "erase", "upload", "remove", "watermark")
	recovering := failpoints("recover", "sweep")
	list := make([]crash, kills)
	dealt := dealer{random: random, calls: calls, kills: kills}
	for i := range list {
		list[i] = crash{calls: dealt.next(), delay: time.Duration(random.Int64N(int64(maxDelay))), pass: 1 + random.IntN(maxPass)}
		if between := uint64(max(0, len(list)-2)); i > 0 && i < len(list)-1 {
			list[i].failpoint = changing[(seed*between+uint64(i))%uint64(len(changing))]
			if strings.HasPrefix(list[i].failpoint, endOfUser) {
				list[i].pass = 1 + random.IntN(maxEndPass)
			}
		}
		switch random.IntN(6) {
		case 0:
			list[i].again = 1 + time.Duration(random.Int64N(int64(maxAgain)))
		case 1:
			list[i].recovery = recovering[random.IntN(len(recovering))]
		}
	}
	return list
}

// failpoints returns those whose first word is one of these.
func failpoints(words ...string) []string {
	return slices.DeleteFunc(append(embedded.CommandFailpoints(), embedded.Failpoints()...), func(name string) bool {
		word, _, _ := strings.Cut(name, "-")
		return !slices.Contains(words, word)
	})
}
