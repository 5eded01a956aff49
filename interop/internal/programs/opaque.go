package programs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The programs of issuers whose tokens are opaque. Hydra is needed in every whole run,
// django-oauth-toolkit in those of interop/run alone: see [MainWhole].
var (
	Hydra = Program{"Ory Hydra", "interop/hydra", "interop/setup-hydra, with a C compiler", func() error {
		_, err := HydraCommand()
		return err
	}}
	DjangoOAuth = Program{"django-oauth-toolkit", "interop/djangooauth", "interop/setup-djangooauth, with Python 3.10 or later and its venv", func() error {
		_, err := DjangoOAuthPython()
		return err
	}}
)

// HydraCommand returns what interop/setup-hydra has built, if that was of the module
// that is here.
func HydraCommand() (string, error) {
	home, err := prepared("hydra", "testdata/server", "go.mod", "go.sum", "main.go")
	return filepath.Join(home, "hydra"), err
}

// DjangoOAuthPython returns the Python that interop/setup-djangooauth has prepared for
// the versions that its tests name.
func DjangoOAuthPython() (string, error) {
	home, err := prepared("djangooauth", "testdata", "requirements.txt")
	return filepath.Join(home, "bin", "python"), err
}

// prepared returns the directory in the cache that bears a package's name, if its file
// "prepared" is what stands in files of the package's folder.
func prepared(name, folderOf string, files ...string) (string, error) {
	here, err := folder()
	if err != nil {
		return "", err
	}
	var wanted strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(here, name, folderOf, file))
		if err != nil {
			return "", err
		}
		wanted.Write(text)
	}
	home := filepath.Join(cache(), name)
	got, err := os.ReadFile(filepath.Join(home, "prepared"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(got, []byte(wanted.String())) {
		return "", fmt.Errorf("%s is of other versions", home)
	}
	return home, nil
}
