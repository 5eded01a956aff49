// Load asks a running "oidcauth serve" who calls, by a valid token, as fast as
// wrk can, and beside it a server that makes the same answer for everybody: what
// remains between the two is the price of knowing.
//
//	apt-get install wrk
//	go run ./benchmarks/load
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
)

func main() {
	rounds := flag.Int("rounds", 30, "rounds, each of which loads both servers once")
	seconds := flag.Int("seconds", 2, "length of one load")
	connections := flag.Int("connections", 64, "connections of wrk")
	bare := flag.Bool(bareFlag, false, "be the server without authentication, for the claims on standard input")
	flag.Parse()
	if *bare {
		if err := serveBare(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(1)
		}
		return
	}
	if *rounds < 1 || *seconds < 1 || *connections < 1 {
		fmt.Fprintln(os.Stderr, "load: every flag wants a positive number")
		os.Exit(2)
	}
	if err := run(*rounds, *seconds, *connections); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run measures in interleaved rounds and prints the median of their ratios.
func run(rounds, seconds, connections int) error {
	dir, err := os.MkdirTemp("", "oidcauth-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	issuer, err := idp.Start()
	if err != nil {
		return err
	}
	defer issuer.Close()
	serve, err := startServe(dir, issuer)
	if err != nil {
		return err
	}
	defer serve.Stop()
	bare, err := startBare([]byte(issuer.Payload(0)))
	if err != nil {
		return err
	}
	defer bare.Stop()
	token := issuer.Token(idp.RS256, 0)
	if err := sameAnswer(serve.url, bare.url, token); err != nil {
		return err
	}

	w := wrk{seconds: seconds, connections: connections, script: filepath.Join(dir, "token.lua")}
	// In a file, not on the command line, where every user could read it.
	script := fmt.Sprintf("wrk.headers[\"Authorization\"] = \"Bearer %s\"\n", token)
	if err := os.WriteFile(w.script, []byte(script), 0o600); err != nil {
		return err
	}
	return w.compare(rounds, serve, bare)
}

// A target is a server under load.
type target struct {
	url string
	*process.Process
}

// start runs a server that prints where it listens.
func start(cmd *exec.Cmd) (target, error) {
	p, url, err := process.Start(cmd, "listening on ")
	return target{url + "/v1/whoami", p}, err
}

// startServe builds the command and runs it.
func startServe(dir string, issuer *idp.Issuer) (target, error) {
	binary, err := process.Build(dir, "github.com/oidcauth/oidcauth/cmd/oidcauth")
	if err != nil {
		return target{}, err
	}
	return start(exec.Command(binary, "serve", "--addr", "127.0.0.1:0",
		"--issuer", issuer.URL, "--audience", idp.Audience, "--allow-insecure-http"))
}

// sameAnswer makes sure that both servers do the same work.
func sameAnswer(serve, bare, token string) error {
	got, err := ask(serve, token)
	if err != nil {
		return err
	}
	want, err := ask(bare, token)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("oidcauth serve answers %s, the server beside it %s", got, want)
	}
	return nil
}

func ask(url, token string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	resp.Header.Del("Date")
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.Status, resp.Header, string(body)), err
}
