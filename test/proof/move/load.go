package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// caller makes one call after the other until its context ends.
func (p *proof) caller(ctx context.Context, random *rand.Rand) {
	upload := picture.Sample(1, 2000)
	for ctx.Err() == nil {
		c := p.mover.Client()
		if c == nil {
			testbed.Pause(ctx, 20*time.Millisecond)
			continue
		}
		u := p.users[random.IntN(len(p.users))]
		switch n := random.IntN(100); {
		case n < 30 && u.number%4 == 3: // one in four may be asked to go
			p.remove(ctx, c, u, random)
		case n < 35:
			p.upload(ctx, c, u, upload)
		default:
			p.read(ctx, c, u)
		}
	}
}

func (p *proof) remove(ctx context.Context, c *client.Client, u *user, random *rand.Rand) {
	u.mu.Lock()
	defer u.mu.Unlock()
	forms := client.Forms()
	u.asked = true
	answer := c.Remove(ctx, forms[random.IntN(len(forms))], client.Bearer(p.testbed.Manager()), u.key.ID)
	if !answer.Acknowledged() {
		p.figures.failed.Add(1)
		return
	}
	if u.has && !u.deleted {
		p.figures.deleted.Add(1)
	}
	u.deleted = true
	found, err := p.listed(ctx, u)
	switch {
	case err != nil && ctx.Err() == nil:
		p.wrong.add("the bucket cannot be looked at: %v", err)
	case found > 0:
		p.wrong.add("%d objects of user %s after their delete was answered", found, u.key.ID)
	case err == nil:
		p.figures.looks.Add(1)
	}
}

func (p *proof) upload(ctx context.Context, c *client.Client, u *user, data []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p.mover.isGone() {
		return // it would be taken
	}
	answer := c.Upload(ctx, client.Bearer(p.testbed.Manager()), u.key.ID, data)
	switch {
	case answer.Acknowledged() && p.mover.isGone(): // the move ended meanwhile
		u.asked, u.has = true, false
		u.deleted = false
		p.figures.taken.Add(1)
	case answer.Acknowledged():
		p.wrong.add("an upload was taken during the move")
	case answer.Status == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
		p.figures.refused.Add(1)
	case answer.Err == nil:
		p.wrong.add("an upload during the move: %v", answer)
	default: // the mover was killed
		u.asked = u.asked || p.mover.isGone()
	}
}

func (p *proof) read(ctx context.Context, c *client.Client, u *user) {
	u.mu.Lock()
	defer u.mu.Unlock()
	got := c.Read(ctx, testbed.Organization, u.key.ID, "")
	if got.Err != nil || got.Status == http.StatusServiceUnavailable {
		p.figures.unread.Add(1)
		return
	}
	p.figures.reads.Add(1)
	switch has := got.Status == http.StatusOK; {
	case !has && got.Status != http.StatusNotFound:
		p.wrong.add("a read of user %s = %d", u.key.ID, got.Status)
	case has && u.deleted:
		p.wrong.add("the picture of user %s was read after its delete was answered", u.key.ID)
	case has && !u.has && !u.asked:
		p.wrong.add("user %s has a picture and had none", u.key.ID)
	case has && u.has && !bytes.Equal(got.Data, p.picture(u.number)):
		p.wrong.add("the picture of user %s is another one", u.key.ID)
	case !has && u.has && !u.asked:
		p.wrong.add("the picture of user %s is lost", u.key.ID)
	}
}

// folders makes the names of people's folders, as the engine does, but in code of its own.
type folders struct {
	key    []byte
	issuer string
}

func (f folders) of(user string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f.issuer))))
	mac.Write([]byte(f.issuer + user))
	digits := hex.EncodeToString(mac.Sum(nil)[:16])
	return digits[:2] + "/" + digits[2:4] + "/" + digits + "/"
}

// query is a connection to the target's database.
func (p *proof) query(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, p.store.Database+" search_path=avatard")
}

// lookTries is how often a listing is tried: the S3 server fails some while others delete.
const lookTries = 5

// listed counts the versions and delete markers in a user's folder.
func (p *proof) listed(ctx context.Context, u *user) (n int, err error) {
	for range lookTries {
		n, err = 0, nil
		for o := range p.servers.Client.ListObjects(ctx, p.store.Bucket, minio.ListObjectsOptions{Prefix: p.folders.of(u.key.ID), WithVersions: true, Recursive: true}) {
			if err = o.Err; err != nil {
				break
			}
			n++
		}
		if err == nil || ctx.Err() != nil {
			return n, err
		}
	}
	return n, err
}
