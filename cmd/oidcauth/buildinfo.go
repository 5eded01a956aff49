package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// started is when the process began, as far as it knows.
var started = time.Now()

// writeBuild writes what this program was built from, and when it began.
func writeBuild(out *strings.Builder) {
	build := buildOf(debug.ReadBuildInfo())
	help(out, "oidcauth_build_info", "gauge", "1, with what this program was built from.")
	fmt.Fprintf(out, "oidcauth_build_info{goversion=%s,revision=%s,version=%s} 1\n", label(runtime.Version()), label(build.revision), label(build.version))
	help(out, "process_start_time_seconds", "gauge", "When the process began.")
	fmt.Fprintf(out, "process_start_time_seconds %d\n", started.Unix())
}

// A build is what a program was built from; "unknown" where that was not recorded.
type build struct{ version, revision string }

func buildOf(info *debug.BuildInfo, ok bool) build {
	b := build{"unknown", "unknown"}
	if !ok || info == nil {
		return b
	}
	if info.Main.Version != "" {
		b.version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && setting.Value != "" {
			b.revision = setting.Value
		}
	}
	return b
}
