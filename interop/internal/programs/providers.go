package programs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Java returns the command that runs Java programs.
func Java() string {
	if dir := os.Getenv("JAVA_HOME"); dir != "" {
		return filepath.Join(dir, "bin", "java")
	}
	return "java"
}

// SpringHome returns where interop/setup-spring has put the server, if it was built of
// the sources that are here.
func SpringHome() (string, error) {
	if _, err := exec.LookPath(Java()); err != nil {
		return "", err
	}
	return built("spring", "spring/testdata/issuer/pom.xml", "spring/testdata/issuer/src/main/java/issuer/Issuer.java")
}

// OIDCProviderNode returns the Node.js that runs oidc-provider.
func OIDCProviderNode() (string, error) { return node("oidcprovider", "oidc-provider") }

// LemonLDAPPortal is the program that Debian's package brings.
const LemonLDAPPortal = "/usr/share/lemonldap-ng/portal/htdocs/index.psgi"

// lemonLDAP reports whether all that interop/setup-lemonldap installs is there: the
// portal loads some of it only when it starts.
func lemonLDAP() error {
	if _, err := exec.LookPath("plackup"); err != nil {
		return err
	}
	if _, err := os.Stat(LemonLDAPPortal); err != nil {
		return err
	}
	modules := []string{"-MGD::SecurityImage", "-MImage::Magick", "-MString::Random", "-MIO::String", "-MConvert::PEM", "-MJSON", "-e", "1"}
	if said, err := exec.Command("perl", modules...).CombinedOutput(); err != nil {
		return fmt.Errorf("perl: %w: %.200s", err, said)
	}
	return nil
}

// SPIREVersion is the one that interop/setup-spire builds.
const SPIREVersion = "1.13.3"

// SPIREHome returns where interop/setup-spire has put its programs.
func SPIREHome() (string, error) {
	home := filepath.Join(cache(), "spire-"+SPIREVersion)
	for _, name := range []string{"spire-server", "oidc-discovery-provider"} {
		if _, err := exec.LookPath(filepath.Join(home, name)); err != nil {
			return "", err
		}
	}
	return home, nil
}

// GlewlwydDatabase is the empty database that Debian's package brings, as SQL.
const GlewlwydDatabase = "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz"

// glewlwyd reports whether what interop/setup-glewlwyd installs is there.
func glewlwyd() error {
	for _, command := range []string{"glewlwyd", "sqlite3"} {
		if _, err := exec.LookPath(command); err != nil {
			return err
		}
	}
	_, err := os.Stat(GlewlwydDatabase)
	return err
}

// built returns the folder of the cache that a script has filled, if that was done of
// the files of this module that are named: it keeps a copy of them there.
func built(name string, files ...string) (string, error) {
	here, err := folder()
	if err != nil {
		return "", err
	}
	var sources []byte
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(here, filepath.FromSlash(file)))
		if err != nil {
			return "", err
		}
		sources = append(sources, text...)
	}
	home := filepath.Join(cache(), name)
	prepared, err := os.ReadFile(filepath.Join(home, "prepared"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(bytes.TrimRight(prepared, "\n"), bytes.TrimRight(sources, "\n")) {
		return "", fmt.Errorf("%s is of other sources", home)
	}
	return home, nil
}
