// Package trial records what the tests saw of a provider's real server, a row for
// each provider. The rows are in the folder trials, and the README's table is made of
// them: they are what the last whole run saw (interop/run all), and every other run is
// compared with them.
//
//	var tried = trial.New("spring", "Spring Authorization Server", "7.0.6")
//
//	func TestMain(m *testing.M) { os.Exit(tried.Done(programs.Main(m, programs.Spring))) }
//
//	func TestRotation(t *testing.T) {
//		tried.Saw(t, trial.Rotation, "at once")
//		…
//	}
package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// RecordVariable names the environment variable that has runs write their rows. It is
// set by interop/run.
const RecordVariable = "OIDCAUTH_INTEROP_RECORD"

// The columns of the table, but for provider and version.
const (
	Discovery    = "discovery"
	JWKS         = "JWKS"
	IDToken      = "ID token"
	AccessToken  = "access token"
	ServiceToken = "service token"
	Rotation     = "rotation"
	Logout       = "logout"
	Refusals     = "refusals"
)

// Columns are all of them, in the table's order.
var Columns = []string{Discovery, JWKS, IDToken, AccessToken, ServiceToken, Rotation, Logout, Refusals}

// A Row is what was seen of one provider.
type Row struct {
	Provider string            `json:"provider"`
	Version  string            `json:"version"`
	Facts    map[string]string `json:"facts"` // by column
}

// A Trial is a row that a package's tests fill. Its methods may be called
// concurrently.
type Trial struct {
	file string

	mu   sync.Mutex // guards row
	row  Row
	errs []error
}

// New returns a trial without facts, whose row is in trials/NAME.json. It is for a
// package directly below interop, whose folder is the working directory of its tests.
func New(name, provider, version string) *Trial {
	return in(filepath.Join("..", "trials"), name, provider, version)
}

func in(dir, name, provider, version string) *Trial {
	return &Trial{
		file: filepath.Join(dir, name+".json"),
		row:  Row{Provider: provider, Version: version, Facts: map[string]string{}},
	}
}

// SetVersion is for those who learn the version late.
func (tr *Trial) SetVersion(version string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.row.Version = version
}

// Saw records a fact if the test passes: at its end, so that it may be called at the
// test's beginning. What the server does not have is "none", what could not be tried
// "untried". Two tests must not see two things in one column.
func (tr *Trial) Saw(t testing.TB, column, fact string) {
	t.Helper()
	if !slices.Contains(Columns, column) || fact == "" || strings.ContainsAny(fact, "|\n") {
		t.Fatalf("trial: no column %q for %q", column, fact)
	}
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if old, seen := tr.row.Facts[column]; seen && old != fact {
			tr.errs = append(tr.errs, fmt.Errorf("%s: seen as %q and as %q", column, old, fact))
		}
		tr.row.Facts[column] = fact
	})
}

// Done ends a package's tests, which have ended with the exit code given, and returns
// the exit code to end with. It writes the row where [RecordVariable] is set, and else
// compares what was seen with the row that was written before.
func (tr *Trial) Done(code int) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if code != 0 {
		return code
	}
	err := errors.Join(tr.errs...)
	if err == nil && os.Getenv(RecordVariable) != "" {
		err = tr.write()
	} else if err == nil {
		err = tr.compare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// write writes the row, if it is whole.
func (tr *Trial) write() error {
	for _, column := range Columns {
		if tr.row.Facts[column] == "" {
			return fmt.Errorf("%s %s: no test saw the column %q: not recorded", tr.row.Provider, tr.row.Version, column)
		}
	}
	text, err := json.MarshalIndent(tr.row, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(tr.file, append(text, '\n'), 0o644)
}

// compare compares what was seen, which may be a part, with what is written. Of another
// version than that the facts may be others: they are told and are no fault.
func (tr *Trial) compare() error {
	if len(tr.row.Facts) == 0 {
		return nil // no test ran that sees anything
	}
	written, err := read(tr.file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no row: run interop/run NAME and commit what it writes", tr.row.Provider)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, column := range Columns {
		if got, want := tr.row.Facts[column], written.Facts[column]; got != "" && got != want {
			errs = append(errs, fmt.Errorf("%s %s: %s: got %q, want %q as of version %s: run interop/run NAME and look at what changed",
				tr.row.Provider, tr.row.Version, column, got, want, written.Version))
		}
	}
	err = errors.Join(errs...)
	if err != nil && tr.row.Version != written.Version {
		fmt.Fprintln(os.Stderr, err)
		return nil
	}
	return err
}

func read(file string) (Row, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Row{}, err
	}
	var row Row
	if err := json.Unmarshal(text, &row); err != nil {
		return Row{}, fmt.Errorf("%s: %w", file, err)
	}
	return row, nil
}

// Table returns the rows of a folder as a table in Markdown, by the provider's name.
func Table(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return "", err
	}
	var rows []Row
	for _, file := range files {
		row, err := read(file)
		if err != nil {
			return "", err
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return strings.Compare(strings.ToLower(a.Provider), strings.ToLower(b.Provider))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "| provider | version | %s |\n|%s\n", strings.Join(Columns, " | "), strings.Repeat("---|", len(Columns)+2))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s |", row.Provider, row.Version)
		for _, column := range Columns {
			fmt.Fprintf(&b, " %s |", row.Facts[column])
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}
