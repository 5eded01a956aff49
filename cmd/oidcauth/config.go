package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// fileConfig is the configuration file, and with the flags applied to it the
// configuration. What a command has no use for it ignores, so that serve,
// explain and keys can share one file.
type fileConfig struct {
	// Issuers are the issuers, each with the audiences that go with it.
	Issuers []oidcauth.Issuer `json:"-"`

	// Described are the issuers in the form that the file has.
	Described []describedIssuer `json:"issuers"`

	// AnyIssuer is what --any-issuer stands for; absent or null means that the
	// issuers of strangers are not accepted.
	AnyIssuer *oidcauth.AnyIssuer `json:"any_issuer"`

	// LocalIssuer is what --local-issuer stands for; absent or null means that
	// the server issues nothing.
	LocalIssuer *localConfig `json:"local_issuer"`

	// Leeway is a duration such as "30s"; "0s" means none, absent means 30 s.
	Leeway leeway `json:"leeway"`

	// Addr, Resource, KeyCacheDir and LogFormat are what the flags of serve
	// with the same names set.
	Addr        string `json:"addr"`
	Resource    string `json:"resource"`
	KeyCacheDir string `json:"key_cache_dir"`
	LogFormat   string `json:"log_format"`

	// Proxies are the proxies, as "10.0.0.0/8", that say in X-Forwarded-For or
	// Forwarded who is calling. It matters with AnyIssuer.
	Proxies []netip.Prefix `json:"proxies"`

	// TokenPlaces are where serve looks for tokens; absent or null means in the
	// Authorization header.
	TokenPlaces *places `json:"token_places"`

	// MaxTokenBytes and CacheBytes are the library's settings; zero means
	// its defaults, and a negative CacheBytes no cache of verified tokens.
	MaxTokenBytes int   `json:"max_token_bytes"`
	CacheBytes    int64 `json:"cache_bytes"`
}

// A describedIssuer is an issuer as a file describes it.
type describedIssuer struct {
	oidcauth.Issuer

	// Leeway is a duration such as "30s"; "0s" means none, absent means that of all.
	Leeway leeway `json:"leeway"`
}

// issuer returns the description in the library's form.
func (d describedIssuer) issuer() oidcauth.Issuer {
	d.Issuer.Leeway = d.Leeway.config()
	return d.Issuer
}

// readConfig reads a configuration file; no name means an empty one.
func readConfig(name string) (fileConfig, error) {
	if name == "" {
		return fileConfig{}, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fileConfig{}, usageError{err}
	}
	file, err := parseConfig(data)
	if err != nil {
		return fileConfig{}, usagef("%s: %w", name, err)
	}
	return file, nil
}

// parseConfig reads one JSON object. A member that is unknown, or that comes
// twice, is an error: a misspelt setting must not be a setting left out.
func parseConfig(data []byte) (fileConfig, error) {
	var file fileConfig
	if err := uniqueNames(data); err != nil {
		return fileConfig{}, atLine(data, err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return fileConfig{}, atLine(data, err)
	}
	for _, d := range file.Described {
		file.Issuers = append(file.Issuers, d.issuer())
	}
	file.Described = nil
	return file, nil
}

// mistypedText words an error about a value of the wrong type for somebody who
// sees the file and not the program.
func mistypedText(err *json.UnmarshalTypeError) string {
	want := "another type"
	switch kind := err.Type.Kind(); {
	case err.Type == reflect.TypeFor[leeway]():
		want = `a text such as "30s"`
	case kind == reflect.Struct:
		want = "an object"
	case kind == reflect.Slice:
		want = "a list"
	case kind == reflect.String:
		want = "a text"
	case kind == reflect.Bool:
		want = "true or false"
	case kind == reflect.Float64:
		want = "a number"
	case kind == reflect.Int, kind == reflect.Int64:
		want = "a whole number"
	}
	got := strings.NewReplacer("bool", "true or false", "string", "a text", "array", "a list", "object", "an object").Replace(err.Value)
	return fmt.Sprintf("%q: got %s, want %s", memberPath(err.Field), got, want)
}

// memberPath drops what the file does not have: the name of the library's type that
// describes issuers, and the positions in lists that package json puts between the
// names since Go 1.27. The line is named already.
func memberPath(field string) string {
	notWritten := func(part string) bool {
		return part == "Issuer" || part != "" && strings.Trim(part, "0123456789") == ""
	}
	return strings.Join(slices.DeleteFunc(strings.Split(field, "."), notWritten), ".")
}

// atLine words an error of package json, with the line number if it has an
// offset.
func atLine(data []byte, err error) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	offset := int64(-1)
	text := strings.TrimPrefix(err.Error(), "json: ")
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mistyped):
		offset, text = mistyped.Offset, mistypedText(mistyped)
	}
	if offset < 0 || offset > int64(len(data)) {
		return errors.New(text)
	}
	return fmt.Errorf("line %d: %s", 1+bytes.Count(data[:offset], []byte("\n")), text)
}

// uniqueNames checks that data is one JSON object and that no object in it has
// two members of the same name. Names are compared without regard to case,
// because package json would take either spelling for the same member.
func uniqueNames(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if first, err := dec.Token(); err != nil {
		return noEOF(err)
	} else if first != json.Delim('{') {
		return errors.New("want a JSON object")
	}
	if err := uniqueMembers(dec); err != nil {
		return noEOF(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// uniqueMembers reads the rest of an object whose brace has been read.
func uniqueMembers(dec *json.Decoder) error {
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		folded := strings.ToLower(strings.ToUpper(name))
		if seen[folded] {
			return fmt.Errorf("member %q comes twice in one object", name)
		}
		seen[folded] = true
		if err := uniqueValue(dec); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// uniqueValue reads one value.
func uniqueValue(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return uniqueMembers(dec)
	case json.Delim('['):
		for dec.More() {
			if err := uniqueValue(dec); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

// noEOF turns the end of the file in the middle of the object into words.
func noEOF(err error) error {
	var syntax *json.SyntaxError // since Go 1.27 also for a list that does not end
	cut := errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input"
	if cut || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object does not end")
	}
	return err
}
