package dpop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/hidden"
)

// nonceAge is how long a nonce counts.
const nonceAge = 5 * time.Minute

const (
	nonceTime = 8  // bytes of a nonce that say when it was made
	nonceMAC  = 16 // bytes that vouch for these
)

// Nonces are those that a server gives to its clients: a time, and what vouches for
// it. Nobody has to remember them. It is safe for concurrent use.
type nonces struct{ key hidden.Value[[]byte] }

// newNonces returns the nonces of a key, or of one of its own.
func newNonces(key []byte) *nonces {
	key = append([]byte(nil), key...)
	if len(key) == 0 {
		key = make([]byte, sha256.Size)
		rand.Read(key)
	}
	return &nonces{hidden.Of(key)}
}

// next returns a nonce made now.
func (n *nonces) next(now time.Time) string {
	made := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(made, n.mac(made)...))
}

func (n *nonces) mac(made []byte) []byte {
	h := hmac.New(sha256.New, n.key.Get())
	h.Write([]byte("oidcauth dpop nonce\x00"))
	h.Write(made)
	return h.Sum(nil)[:nonceMAC]
}

// check says why a nonce does not count. One from before since does not.
func (n *nonces) check(nonce string, since, now time.Time) error {
	if nonce == "" {
		return errors.New("no nonce")
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || strings.ContainsAny(nonce, "\r\n") || len(text) != nonceTime+nonceMAC || !hmac.Equal(text[nonceTime:], n.mac(text[:nonceTime])) {
		return errors.New("a nonce of somebody else")
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(text)))
	switch {
	case now.Sub(made) > nonceAge:
		return errors.New("a nonce that is too old")
	case made.Before(since.Truncate(time.Millisecond)):
		return errors.New("a nonce from before this server started")
	case made.Sub(now) > maxAhead:
		return errors.New("a nonce from a server whose clock is ahead")
	}
	return nil
}
