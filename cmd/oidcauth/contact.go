package main

import (
	"strings"
	"sync"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/explain"
)

// contact is how the last attempt to fetch an issuer's keys went. The library
// keeps that from whoever sent the token where issuers are strangers; the user
// of this command is not that person.
type contact struct {
	mu  sync.Mutex // guards err
	err error      // nil if it succeeded, or nothing was fetched
}

// note is for [authtrace.Hooks].
func (c *contact) note(fetch authtrace.KeyFetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = fetch.Err
}

// explain adds to the report why an issuer gave no keys, where the report does
// not say so by itself.
func (c *contact) explain(report *explain.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		return
	}
	for i := range report.Steps {
		step := &report.Steps[i]
		told := strings.Contains(step.Got, c.err.Error()) || strings.Contains(step.Got, "not usable here")
		if step.Check == "key" && step.Verdict == explain.Failed && !told {
			step.Advice = "The issuer was asked for its keys, in vain: " + c.err.Error() +
				". A server finds this in its log; whoever sent the token is not told."
			step.Setting = ""
		}
	}
}
