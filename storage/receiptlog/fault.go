package receiptlog

import "fmt"

// Kind says what is wrong with a log.
type Kind string

// What Verify finds.
const (
	// Missing: receipts are not there, or the log ends before the head does.
	Missing Kind = "missing"
	// Altered: a receipt is not the one that was sealed at its place.
	Altered Kind = "altered"
	// Misplaced: a receipt that was sealed at another place.
	Misplaced Kind = "misplaced"
	// Inserted: a receipt too many, before the one that was sealed at its place or behind it.
	Inserted Kind = "inserted"
	// HashAltered: receipts and the hash that the engine keeps for them do not fit one another, and it is not a single receipt that was
	// altered.
	HashAltered Kind = "hash-altered"
	// Rewritten: receipts and hashes fit one another, and are not those of the signed head.
	Rewritten Kind = "rewritten"
	// Forked: the log is correct so far and has another past than an earlier head.
	Forked Kind = "forked"
	// HeadAltered: the head that was signed last is not there, or is none that the engine has signed for this log.
	HeadAltered Kind = "head-altered"
)

// FaultError is the first thing that is wrong with a log.
type FaultError struct {
	Kind Kind `json:"kind"`
	// Index is the place of the first leaf that the fault is about, End that behind the last one. Both are -1 for a receipt that has no place.
	Index int64 `json:"index"`
	End   int64 `json:"end"`
	// Receipt is the id of the receipt that stands at Index, or that follows where receipts are missing; "" where there is none or its
	// record was dropped.
	Receipt string `json:"receipt,omitempty"`
	// Belongs is the place at which a misplaced receipt was sealed, 0 for other faults.
	Belongs int64 `json:"belongs"`
	// Noted is the size of the earlier head from which the log was forked.
	Noted int64 `json:"noted,omitempty"`
}

// Error is a sentence for people.
func (f *FaultError) Error() string {
	receipt := "a receipt whose record was dropped"
	if f.Receipt != "" {
		receipt = "receipt " + f.Receipt
	}
	switch f.Kind {
	case Missing:
		if f.Receipt == "" {
			return f.places() + " missing"
		}
		return fmt.Sprintf("%s missing, before %s", f.places(), receipt)
	case Altered:
		return fmt.Sprintf("%s at place %d is not the one that was sealed there", receipt, f.Index)
	case Misplaced:
		return fmt.Sprintf("%s is at place %d and was sealed at place %d", receipt, f.Index, f.Belongs)
	case Inserted:
		if f.Index < 0 {
			return receipt + " has no place in the log, which has places for later ones"
		}
		return fmt.Sprintf("%s at place %d is one too many", receipt, f.Index)
	case HashAltered:
		if f.End-f.Index == 1 {
			return fmt.Sprintf("the hash that is kept for place %d was altered; the receipt is the one that was sealed there", f.Index)
		}
		return fmt.Sprintf("the receipts at places %d to %d and the hash that is kept for them do not fit one another", f.Index, f.End-1)
	case Forked:
		return fmt.Sprintf("%s not what the noted head of %d has there: history was rewritten", f.places(), f.Noted)
	case HeadAltered:
		return "the head that was signed last was altered or removed, or the key of the log was replaced"
	case Rewritten:
	}
	return fmt.Sprintf("%s not what the signed head has there: history was rewritten", f.places())
}

// places names the places, with a verb.
func (f *FaultError) places() string {
	if f.End-f.Index == 1 {
		return fmt.Sprintf("the receipt at place %d is", f.Index)
	}
	return fmt.Sprintf("the receipts at places %d to %d are", f.Index, f.End-1)
}
