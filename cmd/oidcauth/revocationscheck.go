package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/quote"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

// check reports what is wrong with what it names, as far as that is there, and with what
// the library of the log is told. It may be called on nil.
func (c *revocationsConfig) check() error {
	var wrong several
	if dir := c.dir(); dir != "" {
		if err := checkOwnDir(dir); err != nil {
			wrong.add(fmt.Errorf("revocations.dir: %w", err))
		}
	}
	if c.shares() {
		for _, err := range each(c.NATS.check()) {
			wrong.add(fmt.Errorf("revocations.nats: %w", err))
		}
	}
	return wrong.err()
}

// checkOwnDir reports a directory that is there, and that others may write to or have
// written to; the next start makes one that is not. Whose it is says nothing: a person may
// ask on behalf of the server's user, and need not be permitted to look at all.
func checkOwnDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	}
	if err := disk.CheckWritable(info); err != nil && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := unlessHidden(revoked.Look(dir)); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// checkKept reports revocations that a start could not read, of those that this user may
// look at. It may be called on nil.
func (c *revocationsConfig) checkKept() error {
	dir := c.dir()
	if dir == "" {
		return nil
	}
	if _, err := revoked.Read(dir); unlessHidden(err) != nil {
		return fmt.Errorf("revocations.dir: %s: %w", dir, err)
	}
	return nil
}

// unlessHidden returns an error, or nil for that of a file that the server's user may read
// and a person at the prompt may not.
func unlessHidden(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// check reports files that are not there, or of no use, and settings that are none.
func (c *natsConfig) check() error {
	var wrong several
	for _, name := range []fileName{c.CAFile, c.CertFile, c.KeyFile, c.CredentialsFile, c.TokenFile} {
		path, err := name.path()
		if err == nil && path != "" {
			_, err = os.Stat(path)
			err = quote.SecretFile(path, err)
		}
		if err != nil {
			wrong.add(err)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	if c.CAFile != "" {
		path, _ := c.CAFile.path()
		_, _, err := clientTrusting(nil, path)
		wrong.add(unlessHidden(err))
	}
	if c.CertFile != "" {
		_, err := (&tlsConfig{c.CertFile, c.KeyFile}).read()
		wrong.add(unlessHidden(err))
	}
	js, err := jetstream.New(new(nats.Conn)) // which asks nobody
	if err == nil {
		_, err = c.log(js, nil)
	}
	wrong.add(err)
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}
