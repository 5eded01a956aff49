// Package hostile has tokens and requests that must be refused, each with the
// reason and with a twin that must pass, and what forges them: for tests.
package hostile

import (
	"testing"

	"github.com/oidcauth/oidcauth"
)

// A Row is a token, or a request, that must be refused for one reason, and its
// twin in which nothing but that reason is mended, which must pass.
type Row struct {
	Name      string
	Want      error
	Bad, Good func() (*oidcauth.Claims, error)

	BadToken, GoodToken string // what is presented to World.Auth; empty if it is something else
}

// tables make the rows, each of one kind of fault.
var tables = []func(testing.TB, *World) []Row{
	formRows, textRows, headerRows, algorithmRows, confusionRows, keyRows, strangerRows,
	issuerRows, timeRows, audienceRows, typeRows, subjectRows, otherClaimRows, ruleRows,
	serverRows, requestRows, revocationRows, ticketRows, supplementRows, boundRows,
}

// Rows returns all rows of all tables.
func (w *World) Rows() []Row {
	w.t.Helper()
	var all []Row
	for _, table := range tables {
		all = append(all, table(w.t, w)...)
	}
	return all
}
