package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log"
	"os/exec"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// floodRow is what floods and a rotation did to one peer.
type floodRow struct {
	Peer    string
	Fetches []int64 // by arrival
	Calm    harness.Acceptance
	Flooded harness.Acceptance
}

// floods measures floods and rotations. Only the last flood is followed until
// patience ends.
func floods(ctx context.Context, s settings) ([]floodRow, error) {
	patience := 12 * time.Second
	if s.quick {
		patience = 0
	}
	var rows []floodRow
	for _, p := range peers.All() {
		if !p.RemoteKeys {
			continue
		}
		log.Printf("floods: %s", p.Name)
		row := floodRow{Peer: p.Name}
		arrivals := harness.Arrivals()
		for n, arrival := range arrivals {
			wait := time.Duration(0)
			if n == len(arrivals)-1 {
				wait = patience
			}
			result, err := harness.Flood(ctx, p, arrival.Workers, wait)
			if err != nil {
				return nil, err
			}
			if result.Passed != 0 {
				return nil, fmt.Errorf("%s accepted %d forged tokens", p.Name, result.Passed)
			}
			row.Fetches = append(row.Fetches, result.Fetches)
			row.Flooded = result.Rotated
		}
		var err error
		if row.Calm, err = harness.Rotation(ctx, p, patience); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// stormRow is how one peer took the return of all clients, twice.
type stormRow struct {
	Peer      string
	Cold, Hot harness.StormResult
}

func storms(ctx context.Context, clients int) ([]stormRow, error) {
	log.Printf("storms: making %d tokens", clients)
	issuer, err := idp.Start()
	if err != nil {
		return nil, err
	}
	defer issuer.Close()
	tokens := issuer.Tokens(idp.RS256, clients)
	var rows []stormRow
	for _, p := range peers.All() {
		row := stormRow{Peer: p.Name}
		const tries = 3
		for try := range tries {
			cold, hot, err := storm(ctx, p, issuer, tokens)
			if err != nil {
				return nil, fmt.Errorf("storm: %s: %w", p.Name, err)
			}
			if try == 0 || cold.Wall < row.Cold.Wall {
				row.Cold = cold
			}
			if try == 0 || hot.Wall < row.Hot.Wall {
				row.Hot = hot
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func storm(ctx context.Context, p peers.Peer, issuer *idp.Issuer, tokens []string) (cold, hot harness.StormResult, err error) {
	v, err := p.Open(ctx, peers.Setup{Issuer: issuer})
	if err != nil {
		return cold, hot, err
	}
	defer v.Close()
	if cold, err = harness.Storm(ctx, v, tokens); err != nil {
		return cold, hot, err
	}
	hot, err = harness.Storm(ctx, v, tokens)
	return cold, hot, err
}

// outageRow is how one peer lived through the outages, by their names.
type outageRow struct {
	Peer     string
	Accepted map[string]string
	Slowest  map[string]string
}

// outages runs the test that needs a test's clock and reads its attributes.
func outages(ctx context.Context) ([]outageRow, error) {
	log.Print("outages")
	command := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^TestOutage$",
		"github.com/oidcauth/oidcauth/benchmarks")
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("TestOutage: %w\n%s", err, output)
	}
	rows := make(map[string]*outageRow)
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), "=== ATTR  TestOutage/")
		if !found {
			continue
		}
		test, rest, _ := strings.Cut(rest, " ")
		name, value, _ := strings.Cut(rest, " ")
		peer, outage, _ := strings.Cut(test, "/")
		row := rows[peer]
		if row == nil {
			row = &outageRow{peer, make(map[string]string), make(map[string]string)}
			rows[peer] = row
		}
		switch name {
		case "accepted":
			row.Accepted[outage] = value
		case "slowest":
			row.Slowest[outage] = value
		}
	}
	var ordered []outageRow
	for _, p := range peers.All() {
		if row := rows[p.Name]; row != nil {
			ordered = append(ordered, *row)
		}
	}
	return ordered, nil
}
