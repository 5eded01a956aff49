package revoked

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	exact "github.com/go-jose/go-jose/v4/json"
)

// waitingVersion is that of the form of the files in a [Dir].
const waitingVersion = 1

// waitingFile is what such a file holds.
type waitingFile struct {
	Version    int        `json:"version"`
	Revocation Revocation `json:"revocation"`
}

func encodeWaiting(r Revocation) ([]byte, error) {
	content, err := json.Marshal(waitingFile{waitingVersion, r})
	return append(content, '\n'), err
}

// decodeWaiting reads what encodeWaiting wrote and nothing else: less than what
// was meant would be a revocation of more.
func decodeWaiting(content []byte) (Revocation, error) {
	var file waitingFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		if file.Version > waitingVersion { // whose members are not ours to judge
			return Revocation{}, errVersion(file.Version)
		}
		return Revocation{}, fmt.Errorf("got a file of another form: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Revocation{}, errors.New("got something after the end")
	}
	var named waitingFile // by the exact names alone, and no name twice
	if err := exact.Unmarshal(content, &named); err != nil || named.Version != file.Version || named.Revocation.Normal() != file.Revocation.Normal() {
		return Revocation{}, errors.New("got a name twice, or in another case")
	}
	if file.Version != waitingVersion {
		return Revocation{}, errVersion(file.Version)
	}
	if file.Revocation.IsEmpty() || file.Revocation.Until.IsZero() {
		return Revocation{}, errors.New("got an empty revocation, or one without end")
	}
	return file.Revocation.Normal(), nil
}

// errVersion says of which version a file is, and that one that is yet to come is no
// damaged one, which would be removed.
func errVersion(version int) error {
	if version > waitingVersion {
		return fmt.Errorf("version: got %d, want %d: a newer program wrote it, which alone can read it", version, waitingVersion)
	}
	return fmt.Errorf("version: got %d, want %d", version, waitingVersion)
}
