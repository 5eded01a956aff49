package spacetime

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/oidcauth/oidcauth"
)

// The subprotocols of SpacetimeDB's WebSocket, the most wanted first.
const (
	protocolV3     = "v3.bsatn.spacetimedb"
	protocolV2     = "v2.bsatn.spacetimedb"
	protocolV1     = "v1.bsatn.spacetimedb"
	protocolV1JSON = "v1.json.spacetimedb"
)

var protocols = [...]string{protocolV3, protocolV2, protocolV1, protocolV1JSON}

// The beginning of the first message.
const (
	notCompressed        = 0x00
	tagInitialConnection = 0x00 // v2 and v3
	tagIdentityToken     = 0x03 // v1
)

// A ConnectionID tells the connections of one identity apart. Its bytes are in
// the order in which its hexadecimal digits are written; all zero is none.
type ConnectionID [16]byte

// String returns 32 hexadecimal digits.
func (id ConnectionID) String() string { return hex.EncodeToString(id[:]) }

// parseConnectionID reads what String writes.
func parseConnectionID(s string) (ConnectionID, error) {
	var id ConnectionID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || ConnectionID(b) == id {
		return id, malformed(fmt.Sprintf("connection_id %.40q", s), "32 hexadecimal digits, not all of them zero")
	}
	return ConnectionID(b), nil
}

// firstMessage is what the server says first: who the client is, which
// connection it has, and the token to come back with.
func firstMessage(protocol string, identity oidcauth.Identity, id ConnectionID, token string) []byte {
	if protocol == protocolV1JSON {
		return firstJSON(identity, id, token)
	}
	// BSATN integers, and so identities and connection IDs, are little-endian.
	who, which := slices.Clone(identity[:]), slices.Clone(id[:])
	slices.Reverse(who)
	slices.Reverse(which)
	text := binary.LittleEndian.AppendUint32(nil, uint32(len(token)))
	text = append(text, token...)
	if protocol == protocolV1 {
		return slices.Concat([]byte{notCompressed, tagIdentityToken}, who, text, which)
	}
	return slices.Concat([]byte{notCompressed, tagInitialConnection}, who, which, text)
}

func firstJSON(identity oidcauth.Identity, id ConnectionID, token string) []byte {
	type hexIdentity struct {
		Text string `json:"__identity__"`
	}
	type number struct {
		Value *big.Int `json:"__connection_id__"`
	}
	type identityToken struct {
		Identity     hexIdentity `json:"identity"`
		Token        string      `json:"token"`
		ConnectionID number      `json:"connection_id"`
	}
	text, _ := json.Marshal(struct { // strings and numbers always have a form in JSON
		IdentityToken identityToken
	}{identityToken{hexIdentity{"0x" + identity.String()}, token, number{new(big.Int).SetBytes(id[:])}}})
	return text
}
