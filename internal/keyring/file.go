package keyring

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const fileVersion = 1

// ringFile is the content of the file.
type ringFile struct {
	Version    int       `json:"version"`
	Generation int       `json:"generation"`
	Issuer     string    `json:"issuer"`
	Longest    string    `json:"longest"` // a duration
	NoExpiry   bool      `json:"no_expiry"`
	Keys       []keyFile `json:"keys"`
}

type keyFile struct {
	ID        string          `json:"id"`
	State     State           `json:"state"`
	Imported  bool            `json:"imported,omitempty"`
	Created   time.Time       `json:"created"`
	Retired   time.Time       `json:"retired,omitzero"`
	KeepUntil time.Time       `json:"keep_until,omitzero"`
	JWK       json.RawMessage `json:"jwk"`
}

// encode returns the ring as the file holds it.
func (r Ring) encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	file := ringFile{
		Version: fileVersion, Generation: r.Generation,
		Issuer: r.Issuer, Longest: r.Longest.String(), NoExpiry: r.NoExpiry,
	}
	for _, k := range r.Keys {
		jwk, err := k.encode()
		if err != nil {
			return nil, err
		}
		file.Keys = append(file.Keys, keyFile{k.ID, k.State, k.Imported, k.Created, k.Retired, k.KeepUntil, jwk})
	}
	body, err := json.MarshalIndent(file, "", "  ")
	return append(body, '\n'), err
}

func (k Key) encode() ([]byte, error) {
	if k.Private != nil {
		return jose.JSONWebKey{Key: k.Private}.MarshalJSON()
	}
	return jose.JSONWebKey{Key: k.Public}.MarshalJSON()
}

// decode reads what encode wrote and nothing else.
func decode(body []byte) (Ring, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var file ringFile
	if err := dec.Decode(&file); err != nil {
		return Ring{}, fmt.Errorf("%w: damaged or not a key ring: %w", ErrRing, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Ring{}, fmt.Errorf("%w: damaged: data after the end", ErrRing)
	}
	if file.Version != fileVersion {
		return Ring{}, fmt.Errorf("%w: version: got %d, want %d", ErrRing, file.Version, fileVersion)
	}
	longest, err := time.ParseDuration(file.Longest)
	if err != nil || longest < 0 {
		return Ring{}, fmt.Errorf("%w: damaged: longest lifetime %q", ErrRing, file.Longest)
	}
	r := Ring{Generation: file.Generation, Issuer: file.Issuer, Longest: longest, NoExpiry: file.NoExpiry}
	for _, f := range file.Keys {
		k := Key{
			ID: f.ID, State: f.State, Imported: f.Imported,
			Created: f.Created, Retired: f.Retired, KeepUntil: f.KeepUntil,
		}
		if err := k.decode(f.JWK); err != nil {
			return Ring{}, err
		}
		r.Keys = append(r.Keys, k)
	}
	return r, r.check()
}

// decode reads the key itself. The error does not repeat any of it.
func (k *Key) decode(raw []byte) error {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return fmt.Errorf("%w: key %q is damaged", ErrRing, k.ID)
	}
	switch key := jwk.Key.(type) {
	case *ecdsa.PrivateKey:
		k.Private, k.Public = key, &key.PublicKey
	case *ecdsa.PublicKey:
		k.Public = key
	default:
		return fmt.Errorf("%w: key %q: got %T, want an ECDSA key", ErrRing, k.ID, jwk.Key)
	}
	return nil
}
