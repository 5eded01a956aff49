package simulation_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// How soon a change of the program's table is noticed at the latest.
const tableWait = 100 * time.Second

// A table is the program's own, of its customers' issuers.
type table struct {
	mu      sync.Mutex // guards what follows
	rows    map[string]oidcauth.Issuer
	changed map[string]time.Time
	down    bool
	since   time.Time // it is down, or up
}

func newTable() *table {
	return &table{rows: map[string]oidcauth.Issuer{}, changed: map[string]time.Time{}, since: time.Now().Add(-time.Hour)}
}

// find is Config.FindIssuer.
func (x *table) find(_ context.Context, url string) ([]oidcauth.Issuer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.down {
		return nil, errors.New("the table is down")
	}
	if i, there := x.rows[url]; there {
		return []oidcauth.Issuer{i}, nil
	}
	return nil, nil
}

// set adds a row, or removes it.
func (x *table) set(p *provider, there bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if there {
		x.rows[p.URL()] = p.describe(audience)
	} else {
		delete(x.rows, p.URL())
	}
	x.changed[p.URL()] = time.Now()
}

func (x *table) has(p *provider) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, there := x.rows[p.URL()]
	return there
}

func (x *table) setDown(down bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.down, x.since = down, time.Now()
}

// settled reports whether everybody has noticed what the table says of a provider.
func (x *table) settled(p *provider) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.answersLocked() && time.Since(x.changed[p.URL()]) > tableWait
}

// answers reports whether the table has been up for so long that nobody has an error
// in hand any more.
func (x *table) answers() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.answersLocked()
}

func (x *table) answersLocked() bool { return !x.down && time.Since(x.since) > tableWait }
