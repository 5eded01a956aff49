package quote

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Address quotes an address as [Value] does, without the user information in it, which
// may be a password, and without query and fragment, which may hold a key or a token.
func Address(s string) string { return Value(withoutQuery(WithoutUser(s))) }

// withoutQuery cuts an address behind its path.
func withoutQuery(s string) string {
	if end := strings.IndexAny(s, "?#"); end >= 0 && end+1 < len(s) && strings.Contains(s, "://") {
		return s[:end+1] + "…"
	}
	return s
}

// HasUser reports whether there is user information in an address, well-formed or not.
func HasUser(s string) bool { return WithoutUser(s) != s }

// WithoutUser takes out of an address what stands between its scheme and an @. Where a
// host would be followed by a port that is none, it is a user whose password has a slash,
// a question mark or a number sign, which end an authority.
func WithoutUser(s string) string {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return s
	}
	authority, path := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, path = rest[:end], rest[end:]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 && !endsInPort(authority) {
		authority, path = rest, ""
		at = strings.LastIndexByte(rest, '@')
	}
	if at < 0 {
		return s
	}
	return scheme + "://…" + authority[at:] + path
}

// endsInPort reports whether an authority without a user is a host, with or without port.
func endsInPort(authority string) bool {
	_, port, found := strings.Cut(authority[strings.LastIndexByte(authority, ']')+1:], ":")
	return !found || port != "" && strings.Trim(port, "0123456789") == ""
}

// SecretFile returns an error about a file that has a secret without its name, unless
// that begins as a path does: whoever wrote the secret itself where the name belongs does
// not read it in a log. [errors.Is] finds the cause.
func SecretFile(name string, err error) error {
	failed, ok := errors.AsType[*fs.PathError](err)
	if !ok || filepath.IsAbs(name) || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		return err
	}
	return fmt.Errorf("%s: %w (a name without a directory is not shown, as it could be the secret itself: want the name of a file that has it)", failed.Op, failed.Err)
}
