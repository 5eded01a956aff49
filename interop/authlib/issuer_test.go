package authlib_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An issuer is one that Authlib signs for.
type issuer struct {
	url string
}

// start starts an issuer that ends with the test. Where Authlib is not installed
// the test is skipped, but not where CI is set: there a test that does not run is a
// fault.
func start(t *testing.T) issuer {
	t.Helper()
	if testing.Short() {
		t.Skip("rotating keys under load takes longer than -short allows")
	}
	python, err := installed()
	if err != nil {
		message := fmt.Sprintf("no Authlib here: run interop/setup, which installs it with Python's venv (%v)", err)
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	cmd := exec.Command(python, filepath.Join("testdata", "issuer.py"))
	var said bytes.Buffer
	cmd.Stderr = &said
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		leash.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the issuer ended with %v: %s", err, said.String())
		}
	})
	if err != nil {
		t.Fatalf("the issuer did not start: %v", err)
	}
	return issuer{url: strings.TrimSpace(line)}
}

// installed returns the Python that interop/setup-authlib has prepared for the
// versions that the tests name.
func installed() (string, error) {
	wanted, err := os.ReadFile(filepath.Join("testdata", "requirements.txt"))
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(string(wanted), "Authlib==")
	version, _, _ = strings.Cut(version, "\n")
	cache := os.Getenv("OIDCAUTH_CACHE")
	if cache == "" {
		base := os.Getenv("XDG_CACHE_HOME")
		if base == "" {
			base = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		cache = filepath.Join(base, "oidcauth")
	}
	home := filepath.Join(cache, "authlib-"+version)
	prepared, err := os.ReadFile(filepath.Join(home, "prepared"))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(prepared, wanted) {
		return "", fmt.Errorf("%s is of other versions", home)
	}
	return filepath.Join(home, "bin", "python"), nil
}

// An answer is what the issuer says of a token or its key.
type answer struct {
	Token     string `json:"token"`
	KeyNumber int    `json:"key_number"`
}

func (i issuer) ask(ctx context.Context, method, path string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, i.url+path, nil)
	if err != nil {
		return answer{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	var a answer
	if response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s %s: status %d", method, path, response.StatusCode)
	}
	return a, json.NewDecoder(response.Body).Decode(&a)
}
