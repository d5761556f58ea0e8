package embedded

import (
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// spoiling is one way to spoil a store, and what a check then finds.
type spoiling struct {
	title string
	spoil func(d *damaged)
	want  []storage.FindingKind
	// stays are findings that no repair takes away.
	stays []storage.FindingKind
	// lost is the user whose picture is lost, or was to be gone; 0 for none.
	lost int
	// says is what the detail of a finding contains.
	says string
}

var oneContradiction = []storage.FindingKind{storage.MetadataContradicts}

// spoilings are for the store that newDamaged makes.
var spoilings = []spoiling{
	{"nothing", func(*damaged) {}, nil, nil, 0, ""},
	{"bytes in a slot that nobody ever had", func(d *damaged) { d.write((d.slot(2)+9)*slab.PageBytes+77, []byte("left")) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"bytes in an erased slot", func(d *damaged) { d.write(d.slot(3)*slab.PageBytes+4000, []byte("left")) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"a whole picture in an erased slot", func(d *damaged) { d.write(d.slot(3)*slab.PageBytes, d.read(d.slot(2)*slab.PageBytes, slab.PageBytes)) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"a byte right behind a picture", func(d *damaged) { d.write(d.slot(1)*slab.PageBytes+slab.HeaderBytes+5000, []byte{1}) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"a byte at the end of a picture's slot", func(d *damaged) { d.write((d.slot(1)+2)*slab.PageBytes-1, []byte{1}) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"bytes behind the header of the slab", func(d *damaged) { d.write(slab.PageBytes-3, []byte("end")) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"bytes behind the last region", func(d *damaged) { d.write(d.end()*slab.PageBytes+9000, []byte("tail")) },
		[]storage.FindingKind{storage.OrphanedBytes}, nil, 0, ""},
	{"zeros behind the last region, as a crash in growth leaves them", func(d *damaged) { d.truncate((d.end() + slab.MaxRegionPages) * slab.PageBytes) },
		nil, nil, 0, ""},
	{"more zeros than that", func(d *damaged) { d.truncate((d.end()+slab.MaxRegionPages)*slab.PageBytes + 1) },
		[]storage.FindingKind{SlabLength}, nil, 0, ""},
	{"much behind the last region", func(d *damaged) { d.write((d.end()+2*slab.MaxRegionPages)*slab.PageBytes, []byte("far")) },
		[]storage.FindingKind{storage.OrphanedBytes, SlabLength}, nil, 0, ""},
	{"an empty slot in place of a picture", func(d *damaged) { d.write(d.slot(2)*slab.PageBytes, make([]byte, slab.PageBytes)) },
		[]storage.FindingKind{storage.PictureMissing}, nil, 2, ""},
	{"another picture in its place", func(d *damaged) { d.write(d.slot(2)*slab.PageBytes, d.read(d.slot(4)*slab.PageBytes, slab.PageBytes)) },
		[]storage.FindingKind{storage.PictureMissing}, nil, 2, ""},
	{"a bit that has turned over", func(d *damaged) {
		d.write(d.slot(1)*slab.PageBytes+5000, []byte{^d.read(d.slot(1)*slab.PageBytes+5000, 1)[0]})
	},
		[]storage.FindingKind{storage.PictureMissing}, nil, 1, ""},
	{"a length that has turned over", func(d *damaged) { d.write(d.slot(1)*slab.PageBytes+slab.HeaderLengthOffset, []byte{0xff}) },
		[]storage.FindingKind{storage.PictureMissing}, nil, 1, ""},
	{"a header that is no header", func(d *damaged) { d.write(d.slot(1)*slab.PageBytes, []byte("X")) },
		[]storage.FindingKind{storage.PictureMissing}, nil, 1, ""},
	{"a row with another size", func(d *damaged) { d.sql(`UPDATE generation SET size = size + 1 WHERE slot = %d`, d.slot(1)) },
		oneContradiction, oneContradiction, 1, "its row says 5001"},
	{"a row with a size for smaller slots", func(d *damaged) { d.sql(`UPDATE generation SET size = 1 WHERE slot = %d`, d.slot(1)) },
		oneContradiction, oneContradiction, 1, "its row says 1"},
	{"a row with a size for larger slots", func(d *damaged) { d.sql(`UPDATE generation SET size = 1 << 20 WHERE slot = %d`, d.slot(1)) },
		oneContradiction, oneContradiction, 1, "is not kept in slots of 8192"},
	{"a row between two slots", func(d *damaged) { d.sql(`UPDATE generation SET slot = slot + 1 WHERE slot = %d`, d.slot(1)) },
		[]storage.FindingKind{storage.MetadataContradicts, storage.OrphanedBytes}, oneContradiction, 1, "is not the beginning of a slot"},
	{"an erased generation without a receipt", func(d *damaged) { d.sql(`UPDATE generation SET receipt = NULL WHERE slot = %d`, d.slot(3)) },
		oneContradiction, oneContradiction, 0, "has no receipt"},
	{"a receipt that is gone", func(d *damaged) { d.sql(`DELETE FROM receipt WHERE uid = %d`, d.uid(3)) },
		[]storage.FindingKind{storage.MetadataContradicts, storage.MetadataContradicts}, []storage.FindingKind{storage.MetadataContradicts, storage.MetadataContradicts}, 0, "is not there"},
	{"a receipt of another generation", func(d *damaged) { d.sql(`UPDATE receipt SET generation = randomblob(16) WHERE uid = %d`, d.uid(3)) },
		oneContradiction, oneContradiction, 0, "is that of another one"},
	{"a living picture with a receipt on its row", func(d *damaged) {
		d.sql(`UPDATE generation SET receipt = (SELECT receipt FROM user WHERE uid = %[1]d) WHERE uid = %[1]d AND state = 2`, d.uid(5))
	}, oneContradiction, oneContradiction, 5, "is that of another one"},
	{"two receipts of one generation", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 100, uid, generation, time, reason, seq, 1 FROM receipt WHERE uid = %[1]d;
			UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(3))
	}, oneContradiction, oneContradiction, 0, "is of the same generation"},
	{"a receipt on record of a picture that lives", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 100, uid, id, 5, 1, NULL, 1 FROM generation WHERE uid = %[1]d;
			UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(2))
	}, oneContradiction, oneContradiction, 0, "says that the generation is erased, and it is not"},
	{"a receipt that leads to nothing", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 100, uid, randomblob(16), 5, 1, 99, 1 FROM user WHERE uid = %[1]d;
			UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(2))
	}, oneContradiction, oneContradiction, 0, "receipt 99, to which those of the user lead, is not there"},
	{"a receipt that leads to somebody else's", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 100, uid, randomblob(16), 5, 1, (SELECT receipt FROM user WHERE uid = %[2]d), 1 FROM user WHERE uid = %[1]d;
			UPDATE user SET receipt = 100 WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(2), d.uid(3))
	}, oneContradiction, oneContradiction, 0, "lead to that of another one"},
	{"a receipt that leads to itself", func(d *damaged) { d.sql(`UPDATE receipt SET previous = seq WHERE uid = %d`, d.uid(3)) },
		oneContradiction, oneContradiction, 0, "a later one comes before it"},
	{"a user who does not know of the newest receipt", func(d *damaged) { d.sql(`UPDATE user SET receipt = NULL WHERE uid = %d`, d.uid(3)) },
		oneContradiction, oneContradiction, 0, "neither the user nor a later receipt"},
	{"a user who does not know of the two newest receipts", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 100, uid, randomblob(16), 5, 1, seq, 1 FROM receipt WHERE uid = %[1]d;
			INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 101, uid, randomblob(16), 5, 1, 100, 1 FROM receipt WHERE seq = 100;
			UPDATE store SET watermark = 101`, d.uid(3))
	}, oneContradiction, oneContradiction, 0, "neither the user nor a later receipt"},
	{"a receipt beside the chain", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 100, uid, randomblob(16), 5, 1, NULL, 1 FROM user WHERE uid = %[1]d; UPDATE store SET watermark = 100`, d.uid(3))
	}, oneContradiction, oneContradiction, 0, "neither the user nor a later receipt"},
	{"a receipt beside the chain with a number far away", func(d *damaged) {
		d.sql(`INSERT INTO receipt (seq, uid, generation, time, reason, previous, done) SELECT 1 << 60, uid, randomblob(16), 5, 1, NULL, 1 FROM user WHERE uid = %[1]d; UPDATE store SET watermark = 1 << 60`, d.uid(3))
	}, oneContradiction, oneContradiction, 0, "neither the user nor a later receipt"},
	{"two pictures of one user", func(d *damaged) {
		d.sql(`INSERT INTO generation SELECT slot + 9, randomblob(16), uid, 2, size, format, NULL FROM generation WHERE slot = %d`, d.slot(2))
	}, []storage.FindingKind{storage.PictureMissing, storage.MetadataContradicts}, nil, 0, "the user has 2 pictures"},
	{"a user who has ended and has a picture", func(d *damaged) { d.sql(`UPDATE user SET removed = 2, ended = 1 WHERE uid = %d`, d.uid(2)) },
		oneContradiction, oneContradiction, 2, "off the record and has a picture"},
	{"a user of an unknown state", func(d *damaged) { d.sql(`UPDATE user SET removed = 3 WHERE uid = %d`, d.uid(2)) },
		oneContradiction, oneContradiction, 2, "the state 3, which no user may have"},
	{"an organisation of an unknown state", func(d *damaged) {
		d.sql(`INSERT INTO organization VALUES ('odd', 5, 4); UPDATE user SET organization = 'odd' WHERE uid = %d`, d.uid(2))
	}, oneContradiction, oneContradiction, 2, "the state 4, which none may have"},
	{"a user registered in an organisation that has ended", func(d *damaged) {
		d.sql(`INSERT INTO organization VALUES ('gone', 5, 2); UPDATE user SET organization = 'gone' WHERE uid = %d`, d.uid(2))
	}, oneContradiction, oneContradiction, 2, "an organisation that is off the record"},
	{"a receipt that a search does not find", func(d *damaged) { d.sql(`UPDATE store SET indexed = 1`) },
		oneContradiction, oneContradiction, 0, "not found by the generation"},
	{"a picture of nobody", func(d *damaged) { d.sql(`UPDATE generation SET uid = 77 WHERE slot = %d`, d.slot(2)) },
		oneContradiction, oneContradiction, 2, "a user who is not there"},
}
