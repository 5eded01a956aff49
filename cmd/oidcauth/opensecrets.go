package main

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A secretFile is a file with a secret, and the member of the configuration that names it.
type secretFile struct {
	member string
	name   fileName
}

// secretFiles are the files with a secret that a configuration names.
func (file *fileConfig) secretFiles() []secretFile {
	var files []secretFile
	if c := file.TLS; c != nil {
		files = append(files, secretFile{"tls.key_file", c.KeyFile})
	}
	if c := file.Admin; c != nil {
		files = append(files, secretFile{"admin.secret_file", c.SecretFile})
	}
	if c := file.DPoP; c != nil {
		files = append(files, secretFile{"dpop.nonce_key_file", c.NonceKeyFile})
	}
	if file.Revocations.shares() {
		c := file.Revocations.NATS
		files = append(files, secretFile{"revocations.nats.key_file", c.KeyFile},
			secretFile{"revocations.nats.credentials_file", c.CredentialsFile}, secretFile{"revocations.nats.token_file", c.TokenFile})
	}
	for i := range file.Issuers {
		of := fmt.Sprintf("issuers[%d].", i)
		files = append(files, secretFile{of + "keys.token_file", fileName(file.Issuers[i].Keys.TokenFile)})
		if asked := file.Introspections[i]; asked != nil {
			files = append(files, secretFile{of + "introspection.client_secret_file", asked.ClientSecretFile})
		}
	}
	return files
}

// An openSecret is a file with a secret that every user of the machine can read.
type openSecret struct {
	member, path string
	mode         fs.FileMode
}

// openSecrets returns those of a configuration. A group may have been given a file on
// purpose, and is not looked at.
func (file *fileConfig) openSecrets() []openSecret {
	if runtime.GOOS == "windows" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" { // in a pod nobody else is
		return nil
	}
	var open []openSecret
	for _, secret := range file.secretFiles() {
		path, err := secret.name.path()
		if err != nil || path == "" {
			continue
		}
		if mode, yes := opensForAll(path); yes {
			open = append(open, openSecret{secret.member, path, mode})
		}
	}
	return open
}

// opensForAll reports whether whoever is on this machine can read a file: it, and each
// directory above it, has to permit that. Where container runtimes put secrets it is theirs
// to say what mode they have, and nobody else is there.
func opensForAll(path string) (mode fs.FileMode, yes bool) {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil || strings.HasPrefix(path, "/run/secrets/") {
		return 0, false
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o004 == 0 {
		return 0, false
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		above, err := os.Stat(dir)
		if err != nil || above.Mode()&0o001 == 0 {
			return 0, false
		}
		if dir == filepath.Dir(dir) {
			return info.Mode().Perm(), true
		}
	}
}

// warnOfOpenSecrets has the log name them.
func (file *fileConfig) warnOfOpenSecrets(log *slog.Logger) {
	for _, secret := range file.openSecrets() {
		log.Warn("every user of this machine can read a secret: take that from others (chmod o-r)",
			slog.String("member", secret.member), slog.String("file", secret.path), slog.String("mode", fmt.Sprintf("%#o", secret.mode)))
	}
}

// tellOpenSecrets names them to whoever checks the configuration.
func (file *fileConfig) tellOpenSecrets(out io.Writer) {
	for _, secret := range file.openSecrets() {
		fmt.Fprintf(out, "oidcauth serve: %s: every user of this machine can read %s (mode %#o): take that from others (chmod o-r)\n", secret.member, printable(secret.path), secret.mode)
	}
}
