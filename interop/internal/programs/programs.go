// Package programs finds what tests need beside Go, and says how to get it. A test
// that does not run must not look like one that has passed: a package whose program
// is missing says that it has no tests to run, and fails where CI is set.
package programs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

// KeycloakVersion is the one that interop/setup installs.
const KeycloakVersion = "26.7.3"

// A Program is something that tests need and Go does not bring.
type Program struct {
	Name    string
	LeftOut string // what does not run without it
	Install string // a command, or some, for the repository's root
	Find    func() error
}

// Missing returns an error that says what is missing and how to get it, or nil.
func (p Program) Missing() error {
	if err := p.Find(); err != nil {
		return fmt.Errorf("%s: left out for want of %s: run %s (%w)", p.LeftOut, p.Name, p.Install, err)
	}
	return nil
}

// The programs that a package of their own has its tests for.
var (
	Keycloak = Program{"a Keycloak server", "interop/keycloak", "interop/setup, with Maven and Java 17 or later", func() error {
		_, err := KeycloakHome()
		return err
	}}
	Authlib = Program{"Authlib", "interop/authlib", "interop/setup-authlib, with Python 3.10 or later and its venv", func() error {
		_, err := AuthlibPython()
		return err
	}}
	Libpq = Program{"libpq 18", "interop/libpq", "interop/setup-authlib, with Python 3.10 or later and its venv", func() error {
		_, err := AuthlibPython()
		return err
	}}
	Proxies = Program{"the proxies", "interop/proxies", "apt-get install nginx haproxy caddy && interop/setup-proxies, with Python 3.10 or later and its venv", func() error {
		_, err := ProxiesHome()
		return err
	}}
	SpacetimeDB = Program{"SpacetimeDB's client", "interop/spacetimedb", "npm ci --ignore-scripts --prefix interop/spacetimedb, with Node.js", func() error {
		_, err := SpacetimeDBNode()
		return err
	}}
	Verifiers = Program{"the verifiers that providers publish", "interop/verifiers", "npm ci --ignore-scripts --prefix interop/verifiers, with Node.js 20.19 or later", func() error {
		_, err := VerifiersNode()
		return err
	}}
)

// More of those, each a provider's.
var (
	Spring = Program{"a Spring Authorization Server", "interop/spring", "interop/setup-spring, with Maven and Java 17 or later", func() error {
		_, err := SpringHome()
		return err
	}}
	OIDCProvider = Program{"oidc-provider", "interop/oidcprovider", "npm ci --ignore-scripts --prefix interop/oidcprovider, with Node.js", func() error {
		_, err := OIDCProviderNode()
		return err
	}}
	LemonLDAP = Program{"LemonLDAP::NG", "interop/lemonldap", "interop/setup-lemonldap", lemonLDAP}
)

// The programs of packages that interop/run all demands, and nothing else does, for
// they take long to get: see [MainWhole].
var (
	SPIRE = Program{"SPIRE", "interop/spire", "interop/setup-spire, with a C compiler", func() error {
		_, err := SPIREHome()
		return err
	}}
	Glewlwyd = Program{"Glewlwyd", "interop/glewlwyd", "interop/setup-glewlwyd", glewlwyd}
)

// The programs that some tests of a package need and others do not: see
// [Program.Need].
var (
	SpacetimeDBRust = Program{"SpacetimeDB's client for Rust", "tests of interop/spacetimedb", "interop/setup-spacetimedb-rust, with cargo 1.93 or later", func() error {
		_, err := SpacetimeDBRustHome()
		return err
	}}
	Chromium = Program{"Chromium", "browser tests of examples and interop/spacetimedb", "apt-get install chromium", found("chromium")}
)

// Need leaves a test out without the program, or fails it where CI is set.
func (p Program) Need(t testing.TB) {
	t.Helper()
	switch err := p.Missing(); {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// All returns every program that something in the repository is tested with.
func All() []Program {
	return []Program{
		Keycloak, Authlib, Hydra, Spring, OIDCProvider, LemonLDAP, Libpq, Proxies, SpacetimeDB, SpacetimeDBRust, Verifiers, Chromium,
		{"psql", "a test of examples/pgwire", "apt-get install postgresql-client", found("psql")},
		{"curl", "tests of examples/quickstart and interop/keycloak", "apt-get install curl", found("curl")},
		{"zsh, fish and systemd", "tests of cmd/oidcauth", "apt-get install zsh fish systemd", found("zsh", "fish", "systemd-analyze")},
		{"spin", "docs/models/check", "apt-get install spin", found("spin")},
		{"a C compiler", "docs/models/check, and the race detector", "apt-get install gcc", found("gcc")},
	}
}

// Main runs the tests of a package that needs a program. Without the program they
// are left out, or fail where CI is set.
func Main(m *testing.M, p Program) int {
	flag.Parse()
	if missing := p.Missing(); missing != nil && !testing.Short() {
		fmt.Fprintln(os.Stderr, missing)
		if os.Getenv("CI") != "" {
			return 1
		}
		// The go command prints "no tests to run" beside its ok, and nothing else
		// of what a package says that has not failed.
		if err := flag.Set("test.run", "^$"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// MainWhole is Main for a package that only a whole run needs: where its program is
// missing it is left out, with CI set as without, but fails in a run that records.
func MainWhole(m *testing.M, p Program) int {
	flag.Parse()
	missing := p.Missing()
	if missing == nil || testing.Short() || os.Getenv(trial.RecordVariable) != "" {
		return Main(m, p)
	}
	fmt.Fprintln(os.Stderr, missing)
	if err := flag.Set("test.run", "^$"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func found(commands ...string) func() error {
	return func() error {
		for _, command := range commands {
			if _, err := exec.LookPath(command); err != nil {
				return err
			}
		}
		return nil
	}
}

// KeycloakHome returns where interop/setup has put Keycloak, if what starts it is
// there, too.
func KeycloakHome() (string, error) {
	home := filepath.Join(cache(), "keycloak-"+KeycloakVersion)
	if _, err := os.Stat(filepath.Join(home, "prepared")); err != nil {
		return "", err
	}
	for _, command := range []string{"sh", Java()} {
		if _, err := exec.LookPath(command); err != nil {
			return "", err
		}
	}
	return home, nil
}

// AuthlibPython returns the Python that interop/setup-authlib has prepared for the
// versions that its tests name.
func AuthlibPython() (string, error) {
	wanted, version, err := authlibWanted()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache(), "authlib-"+version)
	prepared, err := os.ReadFile(filepath.Join(home, "prepared"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(prepared, wanted) {
		return "", fmt.Errorf("%s is of other versions", home)
	}
	return filepath.Join(home, "bin", "python"), nil
}

// ProxiesHome returns where interop/setup-proxies has put the versions of proxies that
// its tests name, if those that Debian has are there, too.
func ProxiesHome() (string, error) {
	for _, command := range []string{"nginx", "haproxy", "caddy"} {
		if _, err := exec.LookPath(command); err != nil {
			return "", err
		}
	}
	here, err := folder()
	if err != nil {
		return "", err
	}
	wanted, err := os.ReadFile(filepath.Join(here, "proxies", "testdata", "requirements.txt"))
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache(), "proxies")
	prepared, err := os.ReadFile(filepath.Join(home, "prepared"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(prepared, wanted) {
		return "", fmt.Errorf("%s is of other versions", home)
	}
	return filepath.Join(home, "bin"), nil
}

// AuthlibVersion returns the version of Authlib that the tests are for, or "".
func AuthlibVersion() string {
	_, version, _ := authlibWanted()
	return version
}

// authlibWanted returns what interop/setup-authlib installs.
func authlibWanted() (requirements []byte, version string, err error) {
	here, err := folder()
	if err != nil {
		return nil, "", err
	}
	requirements, err = os.ReadFile(filepath.Join(here, "authlib", "testdata", "requirements.txt"))
	_, version, _ = strings.Cut(string(requirements), "Authlib==")
	version, _, _ = strings.Cut(version, "\n")
	return requirements, version, err
}

// SpacetimeDBNode returns the Node.js that runs SpacetimeDB's client.
func SpacetimeDBNode() (string, error) { return node("spacetimedb", "spacetimedb") }

// VerifiersNode returns the Node.js that runs the verifiers of interop/verifiers.
func VerifiersNode() (string, error) { return node("verifiers", "aws-jwt-verify") }

// node returns the Node.js that runs what npm has put into a folder.
func node(name, installed string) (string, error) {
	program, err := exec.LookPath("node")
	if err != nil {
		return "", err
	}
	here, err := folder()
	if err != nil {
		return "", err
	}
	_, err = os.Stat(filepath.Join(here, name, "node_modules", installed, "package.json"))
	return program, err
}

// SpacetimeDBRustHome returns where interop/setup-spacetimedb-rust has put what it
// built, if that was of the sources that are here.
func SpacetimeDBRustHome() (string, error) {
	here, err := folder()
	if err != nil {
		return "", err
	}
	var sources []byte
	for _, pattern := range []string{"Cargo.lock", "Cargo.toml", "src/*.rs", "src/bin/*.rs"} {
		names, err := filepath.Glob(filepath.Join(here, "spacetimedb", "rust", pattern))
		if err != nil {
			return "", err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			sources = append(sources, text...)
		}
	}
	home := filepath.Join(cache(), "spacetimedb-rust")
	prepared, err := os.ReadFile(filepath.Join(home, "prepared"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(prepared, sources) {
		return "", fmt.Errorf("%s is of other sources", home)
	}
	return home, nil
}

// cache is where interop/setup and its like keep what they install.
func cache() string {
	if dir := os.Getenv("OIDCAUTH_CACHE"); dir != "" {
		return dir
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		base = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(base, "oidcauth")
}

// folder returns the folder of this module, in which tests run or below which.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "setup-authlib")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("not below the folder interop")
		}
		dir = above
	}
}
