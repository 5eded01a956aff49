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

// Version 1 knew neither the ring's ID nor the keys that are gone. It is read,
// and the next change writes version 2.
const (
	fileVersion   = 2
	formerVersion = 1
)

// ringFile is the content of the file.
type ringFile struct {
	Version    int       `json:"version"`
	ID         string    `json:"id,omitempty"`
	Generation int       `json:"generation"`
	Issuer     string    `json:"issuer"`
	Longest    string    `json:"longest"` // a duration
	NoExpiry   bool      `json:"no_expiry"`
	Keys       []keyFile `json:"keys"`
	Gone       []string  `json:"gone,omitempty"`
}

type keyFile struct {
	ID        string          `json:"id"`
	State     State           `json:"state"`
	Imported  bool            `json:"imported,omitempty"`
	Created   time.Time       `json:"created"`
	Retired   time.Time       `json:"retired,omitzero"`
	KeepUntil time.Time       `json:"keep_until,omitzero"`
	Secret    []byte          `json:"ticket_secret,omitempty"` // of a key just retired
	JWK       json.RawMessage `json:"jwk"`
}

// encode returns the ring as the file holds it.
func (r Ring) encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	file := ringFile{
		Version: fileVersion, ID: r.ID, Generation: r.Generation,
		Issuer: r.Issuer, Longest: r.Longest.String(), NoExpiry: r.NoExpiry, Gone: r.Gone,
	}
	for _, k := range r.Keys {
		jwk, err := k.encode()
		if err != nil {
			return nil, err
		}
		file.Keys = append(file.Keys, keyFile{k.ID, k.State, k.Imported, k.Created, k.Retired, k.KeepUntil, k.secret, jwk})
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
		if file.Version > fileVersion { // whose members are not ours to judge
			return Ring{}, file.checkVersion()
		}
		return Ring{}, fmt.Errorf("%w: damaged or not a key ring: %w", ErrRing, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Ring{}, fmt.Errorf("%w: damaged: data after the end", ErrRing)
	}
	if err := file.checkVersion(); err != nil {
		return Ring{}, err
	}
	longest, err := time.ParseDuration(file.Longest)
	if err != nil || longest < 0 {
		return Ring{}, fmt.Errorf("%w: damaged: longest lifetime %q", ErrRing, file.Longest)
	}
	r := Ring{
		ID: file.ID, Generation: file.Generation,
		Issuer: file.Issuer, Longest: longest, NoExpiry: file.NoExpiry, Gone: file.Gone,
	}
	for _, f := range file.Keys {
		k := Key{
			ID: f.ID, State: f.State, Imported: f.Imported,
			Created: f.Created, Retired: f.Retired, KeepUntil: f.KeepUntil, secret: f.Secret,
		}
		if err := k.decode(f.JWK); err != nil {
			return Ring{}, err
		}
		r.Keys = append(r.Keys, k)
	}
	return r, r.check()
}

// checkVersion refuses versions that are not known, and what a version did not
// have.
func (f *ringFile) checkVersion() error {
	switch f.Version {
	case fileVersion:
		if f.ID == "" {
			return fmt.Errorf("%w: damaged: no ID", ErrRing)
		}
	case formerVersion:
		if f.ID != "" || len(f.Gone) > 0 {
			return fmt.Errorf("%w: damaged: version %d with members of version %d", ErrRing, formerVersion, fileVersion)
		}
	default:
		return fmt.Errorf("%w: version: got %d, want %d or %d%s", ErrRing, f.Version, formerVersion, fileVersion, newerAdvice(f.Version))
	}
	return nil
}

// newerAdvice says what to do about a version that is yet to come for this program.
func newerAdvice(version int) string {
	if version <= fileVersion {
		return ""
	}
	return ": a newer program wrote it, which alone can read it"
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
