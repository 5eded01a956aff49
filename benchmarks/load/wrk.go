package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wrk runs the load generator of that name.
type wrk struct {
	seconds, connections int
	script               string
}

// A load is how a server fared under one run of wrk.
type load struct {
	rate float64       // requests per second
	cpu  time.Duration // of the server's processor time for a request; zero where it cannot be known
}

// compare loads both servers in turn and prints a line a round. A machine that
// others use too changes its speed from one second to the next, so that many
// short rounds tell more than a few long ones, and processor time more than
// either.
func (w wrk) compare(rounds int, serve, bare target) error {
	var rates, costs []float64
	for round := range rounds {
		targets := []target{serve, bare}
		if round%2 == 1 {
			slices.Reverse(targets)
		}
		loads := make(map[string]load)
		for _, t := range targets {
			var err error
			if loads[t.url], err = w.load(t); err != nil {
				return err
			}
		}
		with, without := loads[serve.url], loads[bare.url]
		rates = append(rates, with.rate/without.rate)
		fmt.Printf("round %d: oidcauth serve %.0f requests/s, without authentication %.0f, ratio %.3f",
			round+1, with.rate, without.rate, rates[round])
		if without.cpu > 0 {
			costs = append(costs, float64(with.cpu)/float64(without.cpu))
			fmt.Printf("; processor time a request %v against %v, ratio %.3f",
				with.cpu.Round(10*time.Nanosecond), without.cpu.Round(10*time.Nanosecond), costs[len(costs)-1])
		}
		fmt.Println()
	}
	fmt.Printf("median of %d rounds: %.3f of the requests/s", rounds, median(rates))
	if len(costs) > 0 {
		fmt.Printf(", %.3f of the processor time a request", median(costs))
	}
	fmt.Println()
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

// load loads one server. Every request has to be answered well.
func (w wrk) load(t target) (load, error) {
	before := t.CPU()
	out, err := exec.Command("wrk", "-t1", "-c"+strconv.Itoa(w.connections),
		"-d"+strconv.Itoa(w.seconds)+"s", "-s", w.script, t.url).Output()
	if err != nil {
		return load{}, fmt.Errorf("wrk (apt-get install wrk): %w", err)
	}
	used := t.CPU() - before
	if strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		return load{}, fmt.Errorf("wrk: not every request was answered well:\n%s", out)
	}
	requests, err := figure(out, `(\d+) requests in`)
	if err != nil {
		return load{}, err
	}
	rate, err := figure(out, `Requests/sec:\s*([\d.]+)`)
	if err != nil || requests == 0 {
		return load{}, fmt.Errorf("wrk counts %v requests: %w", requests, err)
	}
	return load{rate, time.Duration(float64(used) / requests)}, nil
}

// figure returns the number that the pattern's group matches in what wrk prints.
func figure(out []byte, pattern string) (float64, error) {
	match := regexp.MustCompile(pattern).FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("wrk prints nothing like %q:\n%s", pattern, out)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}
