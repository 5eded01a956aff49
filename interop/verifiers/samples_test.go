package verifiers_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type object = map[string]any

// A sample is a token as a provider makes it, before it is signed.
type sample struct {
	Name    string `json:"name"`
	Header  object `json:"header"`
	Payload object `json:"payload"`
}

// samples returns the tokens of one file, with the times moved so that they were
// issued now.
func samples(t *testing.T, file string) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "providers", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var all []sample
	if err := dec.Decode(&all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(all) == 0 {
		t.Fatalf("%s: no tokens", file)
	}
	for i := range all {
		inTime(t, all[i].Payload)
	}
	return all
}

// inTime moves the times.
func inTime(t *testing.T, payload object) {
	t.Helper()
	number := func(name string) int64 {
		n, err := payload[name].(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	shift := time.Now().Unix() - number("iat")
	for _, name := range []string{"iat", "exp", "nbf", "auth_time"} {
		if payload[name] != nil {
			payload[name] = number(name) + shift
		}
	}
}

// changed returns the sample with members of the header and claims replaced: nil
// removes.
func (s sample) changed(header, payload object) sample {
	return sample{s.Name, replaced(s.Header, header), replaced(s.Payload, payload)}
}

func replaced(old, by object) object {
	all := maps.Clone(old)
	for name, value := range by {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// sign makes a token of the sample with the key that its algorithm asks for and that
// key's ID, if the sample has one. A token whose algorithm is none, or needs a secret,
// is signed all the same, so that nothing but its header can be its undoing.
func (w *world) sign(s sample) string {
	header := object{"kid": nil, "typ": nil}
	maps.Copy(header, s.Header)
	key := w.key(s)
	if header["kid"] != nil && header["kid"] != unknownKeyID {
		header["kid"] = key.ID()
	}
	if header["x5t"] != nil {
		header["x5t"] = key.ID()
	}
	return key.Sign(header, s.Payload)
}
