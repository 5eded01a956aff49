package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine is where the figures come from.
type machine struct {
	Processor string
	Cores     int
	System    string
	Go        string
	Date      string
}

func thisMachine() machine {
	return machine{
		Processor: processor(),
		Cores:     runtime.NumCPU(),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:        runtime.Version(),
		Date:      time.Now().UTC().Format(time.DateOnly),
	}
}

// processor names the processor where the system tells it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, found := strings.Cut(lines.Text(), ":")
		if found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// versions returns the versions of modules in this build, each with its path.
func versions(modules []string) []string {
	info, found := debug.ReadBuildInfo()
	if !found {
		return nil
	}
	var list []string
	for _, path := range modules {
		for _, dependency := range info.Deps {
			if dependency.Path == path {
				list = append(list, path+" "+dependency.Version)
			}
		}
	}
	return list
}
