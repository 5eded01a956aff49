package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// credentials stands, at the beginning of a file's name in the configuration, for the
// directory in which systemd keeps what a unit names with LoadCredential=.
const credentials = "$CREDENTIALS_DIRECTORY/"

// A fileName is the name of a file in a configuration. What it stands for is looked up
// when the file is, so that a person at the prompt can use the file of a unit for what
// needs no credential.
type fileName string

// path returns the name of the file itself.
func (f fileName) path() (string, error) { return expandFileName(string(f)) }

// read returns what the file holds.
func (f fileName) read() ([]byte, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// readHidden returns what a file with a secret holds. Its error does not show a name that
// could be the secret itself.
func (f fileName) readHidden() ([]byte, error) {
	path, err := f.path()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	return data, quote.SecretFile(path, err)
}

// expandFileName puts the directory of systemd's credentials into a name.
func expandFileName(name string) (string, error) {
	rest, found := strings.CutPrefix(name, credentials)
	if !found {
		return name, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", errors.New("$CREDENTIALS_DIRECTORY is not set: the unit of systemd has no LoadCredential=, or this runs outside of it")
	}
	return dir + "/" + rest, nil
}

// leastSecret is the length of a secret that cannot be guessed, in bytes: a number of
// 128 bits in hexadecimal digits.
const leastSecret = 32

// readSecret reads a file that has one secret, without the end of its line.
func readSecret(name fileName) ([]byte, error) {
	data, err := name.readHidden()
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(data, "\r\n")
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("%s: got a secret of %d bytes, want %d at least, such as \"openssl rand -hex 32\" makes", name, len(secret), leastSecret)
	}
	if bytes.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("%s: want a secret of visible ASCII in one line, as it has to fit a header", name)
	}
	return secret, nil
}
