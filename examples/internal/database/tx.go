package database

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/oidcauth/oidcauth"
)

var (
	messagesBucket = []byte("messages")
	countsBucket   = []byte("counts")
	countKey       = []byte("messages")
)

// Message is a row of the table.
type Message struct {
	ID    uint64            `json:"id"`
	Owner oidcauth.Identity `json:"owner"`
	Text  string            `json:"text"`
	At    time.Time         `json:"at"`
}

// Count is what the scheduled reducer keeps.
type Count struct {
	Messages int       `json:"messages"`
	At       time.Time `json:"at"`
}

// Tx is one transaction of one caller. It is good until its function returns.
//
// A row's key begins with its owner's identity, and the identity always comes
// from the caller's token: no argument can choose it.
type Tx struct {
	bolt   *bbolt.Tx
	claims *oidcauth.Claims // nil for internal calls and for nobody
}

func newTx(ctx context.Context, bolt *bbolt.Tx) *Tx {
	claims, _ := oidcauth.FromContext(ctx)
	return &Tx{bolt: bolt, claims: claims}
}

// owner returns who owns the rows that this transaction writes.
func (tx *Tx) owner() (oidcauth.Identity, error) {
	if tx.claims == nil {
		return oidcauth.Identity{}, fmt.Errorf("a row needs an owner: %w", oidcauth.ErrNoToken)
	}
	return tx.claims.Identity(), nil
}

// Insert adds a message of the caller's.
func (tx *Tx) Insert(text string) (Message, error) {
	owner, err := tx.owner()
	if err != nil {
		return Message{}, err
	}
	bucket := tx.bolt.Bucket(messagesBucket)
	id, err := bucket.NextSequence()
	if err != nil {
		return Message{}, err
	}
	message := Message{ID: id, Owner: owner, Text: text, At: time.Now().UTC()}
	row, err := json.Marshal(message)
	if err != nil {
		return Message{}, err
	}
	return message, bucket.Put(binary.BigEndian.AppendUint64(owner[:], id), row)
}

// Own returns the caller's messages, oldest first.
func (tx *Tx) Own() ([]Message, error) {
	owner, err := tx.owner()
	if err != nil {
		return nil, err
	}
	own := []Message{}
	cursor := tx.bolt.Bucket(messagesBucket).Cursor()
	for key, row := cursor.Seek(owner[:]); bytes.HasPrefix(key, owner[:]); key, row = cursor.Next() {
		var message Message
		if err := json.Unmarshal(row, &message); err != nil {
			return nil, fmt.Errorf("database: row %x: %w", key, err)
		}
		own = append(own, message)
	}
	return own, nil
}

// Len returns the number of messages, whoever owns them.
func (tx *Tx) Len() int {
	number := 0
	cursor := tx.bolt.Bucket(messagesBucket).Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		number++
	}
	return number
}

// DeleteAll removes everybody's messages and returns how many there were.
func (tx *Tx) DeleteAll() (int, error) {
	number := tx.Len()
	if err := tx.bolt.DeleteBucket(messagesBucket); err != nil {
		return 0, err
	}
	_, err := tx.bolt.CreateBucket(messagesBucket)
	return number, err
}

// Count returns what SetCount has kept; the zero Count if nothing yet.
func (tx *Tx) Count() (Count, error) {
	var count Count
	kept := tx.bolt.Bucket(countsBucket).Get(countKey)
	if kept == nil {
		return count, nil
	}
	err := json.Unmarshal(kept, &count)
	return count, err
}

// SetCount keeps a count.
func (tx *Tx) SetCount(count Count) error {
	row, err := json.Marshal(count)
	if err != nil {
		return err
	}
	return tx.bolt.Bucket(countsBucket).Put(countKey, row)
}
