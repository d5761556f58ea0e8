package receiptlog

// locate says what has happened to the suspect, a row whose leaf is not the one that was sealed at its place. Next is the row behind it, nil
// for none.
func (v *verifier) locate(next *Row) error {
	row := v.suspect
	fault := &FaultError{Kind: Altered, Index: row.Index, End: row.Index + 1, Receipt: row.receipt()}
	genuine, err := v.genuine()
	if err != nil {
		return err
	}
	if genuine {
		fault.Kind, fault.Receipt = HashAltered, ""
		return fault
	}
	place, err := v.placeOf(row.hash())
	if err != nil {
		return err
	}
	if place > row.Index {
		return v.locateLater(fault, place, next)
	}
	movedDown, err := v.sealedAt(next, row.Index)
	if err != nil {
		return err
	}
	switch {
	case movedDown:
		fault.Kind = Inserted
	case place >= 0:
		fault.Kind, fault.Belongs = Misplaced, place
	}
	return fault
}

// locateLater is for a suspect that was sealed at a later place: either it was moved, or those between were taken away and all behind them
// have moved up.
func (v *verifier) locateLater(fault *FaultError, place int64, next *Row) error {
	fault.Kind, fault.Belongs = Misplaced, place
	movedUp, err := v.sealedAt(next, place+1)
	if err != nil {
		return err
	}
	if movedUp || next == nil {
		fault.Kind, fault.Belongs, fault.End = Missing, 0, place
	}
	return fault
}

// genuine reports whether the suspect is of the log of the head all the same: then the hash that is kept was altered, not the receipt.
func (v *verifier) genuine() (bool, error) {
	proof, err := ProveInclusion(v.ctx, v.walked.Hashes, v.walked.Head.Size, v.suspect.Index)
	if err != nil {
		return false, err
	}
	return checkInclusion(proof, v.walked.Head, v.suspect.Index, v.suspect.hash()) == nil, nil
}

// sealedAt reports whether a row's leaf is the one that was sealed at a place. There may be neither.
func (v *verifier) sealedAt(row *Row, place int64) (bool, error) {
	if row == nil || place >= v.walked.Head.Size {
		return false, nil
	}
	kept, err := v.kept.at(LeafHashIndex(place))
	return err == nil && kept == row.hash(), err
}

// placeOf returns the place of the leaf whose kept hash this is, -1 for none.
func (v *verifier) placeOf(hash Hash) (int64, error) {
	for place := range v.walked.Head.Size {
		kept, err := v.kept.at(LeafHashIndex(place))
		if err != nil {
			return 0, err
		}
		if kept == hash {
			return place, nil
		}
	}
	return -1, nil
}
