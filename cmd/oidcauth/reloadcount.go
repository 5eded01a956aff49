package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// reloads counts how reloads went, for GET /metrics. It is safe for concurrent use.
type reloads struct {
	ok, failed atomic.Uint64
	last       atomic.Int64 // when the configuration in force was taken over, in seconds
	bad        atomic.Bool  // whether the files hold another that was refused
}

// count notes one reload.
func (r *reloads) count(err error) {
	r.bad.Store(err != nil)
	if err != nil {
		r.failed.Add(1)
		return
	}
	r.ok.Add(1)
	r.last.Store(time.Now().Unix())
}

// started notes the configuration that the server began with.
func (r *reloads) started() { r.last.Store(time.Now().Unix()) }

// write writes them in the Prometheus text format.
func (r *reloads) write(out *strings.Builder) {
	heading(out, "oidcauth_config_reloads_total", "Reloads of the configuration, by result.")
	fmt.Fprintf(out, "oidcauth_config_reloads_total{result=\"ok\"} %d\n", r.ok.Load())
	fmt.Fprintf(out, "oidcauth_config_reloads_total{result=\"failed\"} %d\n", r.failed.Load())
	good := 1
	if r.bad.Load() {
		good = 0
	}
	const name = "oidcauth_config_last_reload_successful"
	fmt.Fprintf(out, "# HELP %s Whether the configuration of the files is the one in force: 0 after a reload that was refused.\n# TYPE %s gauge\n%s %d\n", name, name, name, good)
	const loaded = "oidcauth_config_loaded_timestamp_seconds"
	fmt.Fprintf(out, "# HELP %s When the configuration in force was taken over.\n# TYPE %s gauge\n%s %d\n", loaded, loaded, loaded, r.last.Load())
}
