// Package reload takes the issuers from a file, which may change while the server runs.
package reload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"syscall"

	exact "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth"
)

// Read returns the issuers of a file, an array in JSON. A name that is misspelt, in another
// case, or there twice is an error: it could leave a rule out, or empty one.
func Read(path string) ([]oidcauth.Issuer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var issuers, folded []oidcauth.Issuer
	if err := exact.Unmarshal(text, &issuers); err != nil { // a name is there twice
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&folded); err != nil {
		return nil, err
	}
	switch {
	case len(issuers) == 0:
		return nil, errors.New("no issuer, want one at least")
	case !reflect.DeepEqual(issuers, folded): // which encoding/json takes all the same
		return nil, errors.New("a name in another case, want the names as they are documented")
	}
	return issuers, nil
}

// Follow has the issuers of the file, and others such as a local one, in force from then
// on: read anew at each SIGHUP, until ctx ends. A file with a mistake changes nothing.
func Follow(ctx context.Context, auth *oidcauth.Authenticator, path string, logger *slog.Logger, others ...oidcauth.Issuer) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		issuers, err := Read(path)
		if err == nil {
			err = auth.SetIssuers(append(issuers, others...)...)
		}
		if err != nil {
			logger.Error("the issuers stay as they are", "file", path, "error", err)
		}
		select {
		case <-hangups:
		case <-ctx.Done():
			return
		}
	}
}
