package main

import (
	"log/slog"
	"reflect"
	"regexp"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// The library's messages name what is to be changed as a program has it: fields of
// structs. Whoever runs this command has flags and a file instead.

// fieldWords are the names in the file of the fields that a message may name alone.
var fieldWords = namesInFile(reflect.TypeFor[oidcauth.KeysFrom](), reflect.TypeFor[oidcauth.AnyIssuer](), reflect.TypeFor[dpopConfig](), reflect.TypeFor[oidcauth.Issuer]())

// demandWords are those of the demands that a claim rule may have.
var demandWords = namesInFile(reflect.TypeFor[oidcauth.ClaimRule]())

// namesInFile returns the names, in quotes, that fields have in a file.
func namesInFile(structs ...reflect.Type) map[string]string {
	words := make(map[string]string)
	for _, t := range structs {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if t.Field(i).IsExported() && name != "" && name != "-" {
				words[t.Field(i).Name] = `"` + name + `"`
			}
		}
	}
	for field, name := range map[string]string{"Endpoint": "endpoint", "ClientID": "client_id", "ClientSecretFile": "client_secret_file", "SecretInBody": "secret_in_body"} {
		words[field] = `"` + name + `"` // of "introspection"
	}
	for _, field := range []string{"InsecureHTTP", "InsecureHTTPHosts"} {
		if words[field] != "" {
			words[field] += ` of "keys"`
		}
	}
	return words
}

// orItself returns a word, or what it would stand for if there is none.
func orItself(word, itself string) string {
	if word == "" {
		return itself
	}
	return word
}

// settingWords are the flags, and names in the file, of what a message may name as a
// field of a configuration.
var settingWords = map[string]string{
	"Config.Issuers":             `--issuer, or "issuers" in the file,`,
	"Config.Origins":             `--allow-origin, or "allow_origins" of "local_issuer" in the file`,
	"Config.Extract":             `"token_places" in the file`,
	"Issuer.Introspect":          `"introspection"`,
	"Config.Leeway":              `--leeway`,
	"Config.KeyCacheDir":         `--key-cache-dir`,
	"Config.RevocationDir":       `"dir" of "revocations" in the file`,
	"Config.Proxies":             `"proxies" in the file`,
	"Config.DPoP":                `"dpop" in the file`,
	"Config.Certificate":         `"client_certificates" in the file`,
	"Config.PublicURL":           `"public_url" of "dpop", or --resource,`,
	"Config.Aliases":             `"aliases" of "dpop"`,
	"Config.MaxTokenBytes":       `"max_token_bytes" in the file`,
	"Config.MaxTokenLifetime":    `"max_token_lifetime" in the file`,
	"Config.ResourceMetadataURL": `--resource`,
	"Config.NonceKey":            `"nonce_key_file" of "dpop"`,
	"Config.Nonces":              `"nonces" of "dpop"`,
	"Config.ReplayBytes":         `"replay_bytes" of "dpop"`,
	"Config.MaxAge":              `"max_age" of "dpop"`,
	"Config.MaxNameBytes":        `"max_name_bytes" of "local_issuer" in the file`,
}

var (
	// quoted is what somebody wrote, which stays as it is.
	quoted = `"(?:[^"\\]|\\.)*"`

	// goFunction is how package netip tells of a text that is no address.
	goFunction = regexp.MustCompile(`netip\.Parse(?:Prefix|Addr)\((` + quoted + `)\): [^;\n]*`)

	// demandList is how a message counts the demands of a claim rule.
	demandList = regexp.MustCompile(`one of [A-Z]\w*(?:, [A-Z]\w*)+ and [A-Z]\w*`)
	demandName = regexp.MustCompile(`\b[A-Z]\w*`)

	fieldPath = regexp.MustCompile(quoted + `|\b(?:spacetime\.)?(?:Config|Issuer|KeysFrom|AnyIssuer)(?:\.[A-Z]\w*)+`)

	// fieldAlone is a name that is no word, or one that is and stands where a message
	// says what is wrong with a field. What a file has in its place stays as it is.
	fieldAlone = regexp.MustCompile(quoted + `|\b\w+: there is no such member|\b([A-Z]+[a-z]+[A-Z]\w*|JWKSURL|JWKS|CAFile)\b|\b([A-Z][A-Za-z]+)(: | is )`)
)

// inOwnWords puts the fields that a message of the library names into the words of this
// command.
func inOwnWords(text string) string {
	text = goFunction.ReplaceAllString(text, `got $1, want addresses such as "10.0.0.0/8"`)
	text = demandList.ReplaceAllStringFunc(text, func(list string) string {
		return demandName.ReplaceAllStringFunc(list, func(name string) string { return orItself(demandWords[name], name) })
	})
	text = strings.NewReplacer("Config.Leeway: ", `--leeway, or "leeway" in the file: `,
		`Config.Extract, or of "token_places" in the command's file`, `"token_places" in the file`).Replace(text)
	text = fieldPath.ReplaceAllStringFunc(text, func(path string) string {
		if word, known := settingWords[strings.TrimPrefix(path, "spacetime.")]; known {
			return word
		}
		if word, known := fieldWords[path[strings.LastIndexByte(path, '.')+1:]]; known {
			return word
		}
		return path
	})
	return fieldAlone.ReplaceAllStringFunc(text, func(found string) string {
		m := fieldAlone.FindStringSubmatch(found)
		if word, known := fieldWords[m[1]+m[2]]; known {
			return word + m[3]
		}
		return found
	})
}

// ownWordsInLog does so for what a line of the log says of reasons.
func ownWordsInLog(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindString && (a.Key == "reason" || a.Key == "error" || a.Key == "hint") {
		a.Value = slog.StringValue(inOwnWords(a.Value.String()))
	}
	return a
}
