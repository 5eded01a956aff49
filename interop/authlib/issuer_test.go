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

	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

// An issuer is one that Authlib signs for.
type issuer struct {
	url string
}

var tried = trial.New("authlib", "Authlib", programs.AuthlibVersion())

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.Main(m, programs.Authlib))) }

// start starts an issuer that ends with the test.
func start(t *testing.T) issuer {
	t.Helper()
	if testing.Short() {
		t.Skip("rotating keys under load takes longer than -short allows")
	}
	python, err := programs.AuthlibPython()
	if err != nil {
		t.Fatal(err)
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
