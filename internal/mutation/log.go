package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// A log holds what was tried, in a file if it has a name. Its methods may be called
// concurrently.
type log struct {
	mu       sync.Mutex
	file     *os.File           // nil: none
	outcomes map[string]outcome // by the id of the change
	counts   tally
}

// openLog reads what a file says of the changes that were drawn; it need not exist.
func openLog(name string, drawn []site) (*log, error) {
	l := &log{outcomes: map[string]outcome{}, counts: tally{}}
	if name == "" {
		return l, nil
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l.file = file
	byID := map[string]site{}
	for _, s := range drawn {
		byID[s.id] = s
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) != 3 {
			return nil, errors.Join(fmt.Errorf("%s: not a log of this command: %q", name, lines.Text()), file.Close())
		}
		id, _, _ := strings.Cut(columns[1], " ")
		if s, known := byID[id]; known {
			l.note(outcome{s, verdict(columns[0]), columns[2]})
		}
	}
	return l, lines.Err()
}

func (l *log) close() {
	if l.file != nil {
		l.file.Close()
	}
}

func (l *log) note(o outcome) {
	l.counts[l.outcomes[o.site.id].verdict]--
	l.outcomes[o.site.id] = o
	l.counts[o.verdict]++
}

// add prints an outcome, and writes it to the file.
func (l *log) add(o outcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(o)
	if o.verdict != invalid {
		fmt.Printf("%-9s %s\t%s\n", o.verdict, o.site, o.by)
	}
	if l.file == nil {
		return nil
	}
	_, err := fmt.Fprintf(l.file, "%s\t%s\t%s\n", o.verdict, o.site, o.by)
	return err
}

// verdictOf returns what was found of a change, "" for nothing.
func (l *log) verdictOf(id string) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outcomes[id].verdict
}

// with returns the changes of which so much is known.
func (l *log) with(sites []site, v verdict) []site {
	return slices.DeleteFunc(slices.Clone(sites), func(s site) bool { return l.verdictOf(s.id) != v })
}

// untried returns the next changes that are to be tried, so that n are tested in all.
func (l *log) untried(drawn []site, n int) []site {
	l.mu.Lock()
	missing := n - l.counts.counted()
	l.mu.Unlock()
	untried := l.with(drawn, "")
	return untried[:max(0, min(missing, len(untried)))]
}
