package fetch

import "github.com/oidcauth/oidcauth/internal/quote"

// SecretFile returns what is in a file that holds a secret, of limit bytes at most. No
// error repeats that, nor a name that could be the secret itself.
func SecretFile(name string, limit int64) ([]byte, error) {
	data, err := readFile(name, limit)
	if err != nil {
		return nil, quote.SecretFile(name, err)
	}
	return data, nil
}
