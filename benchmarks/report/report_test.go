package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// made returns results of figures that nobody measured: the n-th peer takes n
// times as long as the first, in three rounds of different speed.
func made() *results {
	r := &results{Rounds: 3, Peers: peers.All(), Faults: refusals.All(), samples: make(samples)}
	for n, p := range r.Peers {
		for _, what := range []string{harness.Authenticate, harness.AuthenticateParallel, harness.Middleware} {
			for _, algorithm := range idp.Algorithms() {
				for _, temperature := range []string{harness.Cold, harness.Hot} {
					k := key{what, algorithm, temperature, p.Name}
					for _, slow := range []float64{1, 4, 2} {
						t := 10_000 * slow * float64(n+1)
						r.samples[k] = append(r.samples[k], sample{ns: t, wall: t, bytes: int64(slow), allocs: 7})
					}
				}
			}
		}
	}
	return r
}

// TestRatio shows that a round in which everything is slow does not count.
func TestRatio(t *testing.T) {
	r := made()
	third := key{harness.Authenticate, idp.RS256, harness.Cold, r.Peers[2].Name}
	if got, want := r.coldRatio(third), (spread{3, 3, 3}); got != want {
		t.Errorf("ratio = %v, want %v", got, want)
	}
	if got, want := r.samples.time(third).Median, 60_000.0; got != want {
		t.Errorf("median time = %v, want %v", got, want)
	}
	if bytes, allocs := r.samples.memory(third); bytes != 1 || allocs != 7 {
		t.Errorf("memory = %d, %d, want 1, 7", bytes, allocs)
	}
}

// TestStartups: with its keys in a directory the library asks nobody.
func TestStartups(t *testing.T) {
	r := &results{Rounds: 1, Peers: []peers.Peer{peers.OIDCAuth(), peers.GolangJWT()}}
	if err := r.startups(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Starts {
		got = append(got, fmt.Sprint(s.Peer, " ", s.Fetches))
		for _, delay := range r.StartDelays() {
			if n := len(s.took[delay]); n != 3 || s.Took(delay) == "–" {
				t.Errorf("%s: got %d starts and %s, want 3 and their median", s.Peer, n, s.Took(delay))
			}
		}
	}
	if want := []string{"oidcauth 1", "oidcauth, keys in a directory 0", "golang-jwt 1"}; !slices.Equal(got, want) {
		t.Errorf("fetches: got %q, want %q", got, want)
	}
}

func TestSpreadOf(t *testing.T) {
	if got, want := spreadOf([]float64{4, 1, 3, 2, 5}), (spread{2, 3, 4}); got != want {
		t.Errorf("spreadOf() = %v, want %v", got, want)
	}
	if got, want := spreadOf([]float64{1, 2}), (spread{1.25, 1.5, 1.75}); got != want {
		t.Errorf("spreadOf() = %v, want %v", got, want)
	}
	if got := spreadOf(nil); got != (spread{}) {
		t.Errorf("spreadOf() = %v, want nothing", got)
	}
}

func TestWrite(t *testing.T) {
	var page strings.Builder
	if err := made().write(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| jwx | 7.00 (7.00–7.00) |", refusals.OtherCase, "go-oidc"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
}

func TestDraw(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plot.svg")
	if err := made().draw(path); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers.All() {
		if !strings.Contains(string(image), p.Name) {
			t.Errorf("the plot does not name %s", p.Name)
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(string(image)))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
}
