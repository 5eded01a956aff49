// Load asks a running "oidcauth serve" who calls, by a valid token, as fast as
// wrk can, and beside it a server that puts the same answer together for anybody:
// what remains between the two is the price of knowing.
//
//	apt-get install wrk
//	go run ./benchmarks/load
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

func main() {
	rounds := flag.Int("rounds", 8, "rounds, each of which loads both servers once")
	seconds := flag.Int("seconds", 5, "length of one load")
	connections := flag.Int("connections", 64, "connections of wrk")
	flag.Parse()
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
	defer serve.stop()
	token := issuer.Token(idp.RS256, 0)
	answer, err := ask(serve.url, token)
	if err != nil {
		return err
	}
	bare, err := startBare(answer)
	if err != nil {
		return err
	}
	defer bare.stop()

	w := wrk{seconds: seconds, connections: connections, script: filepath.Join(dir, "token.lua")}
	// In a file, not on the command line, where every user could read it.
	script := fmt.Sprintf("wrk.headers[\"Authorization\"] = \"Bearer %s\"\n", token)
	if err := os.WriteFile(w.script, []byte(script), 0o600); err != nil {
		return err
	}
	return w.compare(rounds, serve.url, bare.url)
}

// A target is a server under load.
type target struct {
	url  string
	stop func()
}

// startServe builds the command and runs it.
func startServe(dir string, issuer *idp.Issuer) (target, error) {
	binary := filepath.Join(dir, "oidcauth")
	build := exec.Command("go", "build", "-o", binary, "github.com/oidcauth/oidcauth/cmd/oidcauth")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return target{}, fmt.Errorf("go build: %w", err)
	}
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0",
		"--issuer", issuer.URL, "--audience", idp.Audience, "--allow-insecure-http")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return target{}, err
	}
	if err := cmd.Start(); err != nil {
		return target{}, err
	}
	stop := func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	line := make([]byte, 256)
	n, err := stdout.Read(line)
	_, url, found := strings.Cut(strings.TrimSpace(string(line[:n])), "listening on ")
	if err != nil || !found {
		stop()
		return target{}, fmt.Errorf("oidcauth serve does not say where it listens: %q", line[:n])
	}
	return target{url + "/v1/whoami", stop}, nil
}

// An answer is what the server without authentication gives to everybody.
type answer struct {
	header http.Header
	body   whoami
}

// whoami has the members of the body in their order, so that it costs the same
// to write.
type whoami struct {
	Identity  string          `json:"identity"`
	Issuer    string          `json:"issuer"`
	Subject   string          `json:"subject"`
	Audience  []string        `json:"audience"`
	ExpiresAt *time.Time      `json:"expires_at"`
	Claims    json.RawMessage `json:"claims"`
}

func ask(url, token string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("oidcauth serve answers %s", resp.Status)
	}
	a := answer{header: resp.Header}
	a.header.Del("Date")
	a.header.Del("Content-Length")
	err = json.NewDecoder(resp.Body).Decode(&a.body)
	return a, err
}

// startBare gives the answer to anybody, with the server, the limits and the
// routing of "oidcauth serve", which cost more than an authentication does.
func startBare(a answer) (target, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return target{}, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/whoami", func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range a.header {
			w.Header()[name] = values
		}
		json.NewEncoder(w).Encode(a.body)
	})
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	go server.Serve(listener)
	return target{"http://" + listener.Addr().String() + "/v1/whoami", func() { server.Close() }}, nil
}

// wrk runs the load generator of that name.
type wrk struct {
	seconds, connections int
	script               string
}

// compare loads both servers in turn and prints a line a round.
func (w wrk) compare(rounds int, serve, bare string) error {
	var ratios []float64
	for round := range rounds {
		urls := []string{serve, bare}
		if round%2 == 1 {
			slices.Reverse(urls)
		}
		rate := map[string]float64{}
		for _, url := range urls {
			var err error
			if rate[url], err = w.load(url); err != nil {
				return err
			}
		}
		ratio := rate[serve] / rate[bare]
		ratios = append(ratios, ratio)
		fmt.Printf("round %d: oidcauth serve %.0f requests/s, without authentication %.0f, ratio %.3f\n", round+1, rate[serve], rate[bare], ratio)
	}
	slices.Sort(ratios)
	median := (ratios[len(ratios)/2] + ratios[(len(ratios)-1)/2]) / 2
	fmt.Printf("median ratio of %d rounds: %.3f\n", rounds, median)
	return nil
}

// load returns the requests per second that the server at url answered, all of
// them well.
func (w wrk) load(url string) (float64, error) {
	out, err := exec.Command("wrk", "-t1", "-c"+strconv.Itoa(w.connections),
		"-d"+strconv.Itoa(w.seconds)+"s", "-s", w.script, url).Output()
	if err != nil {
		return 0, fmt.Errorf("wrk (apt-get install wrk): %w", err)
	}
	if strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		return 0, fmt.Errorf("wrk: not every request was answered well:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		if rate, found := strings.CutPrefix(strings.TrimSpace(line), "Requests/sec:"); found {
			return strconv.ParseFloat(strings.TrimSpace(rate), 64)
		}
	}
	return 0, fmt.Errorf("wrk says no rate:\n%s", out)
}
