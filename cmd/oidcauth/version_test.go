package main

import (
	"os/exec"
	"regexp"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		info *debug.BuildInfo
		ok   bool
		want string
	}{
		{"no build information", nil, false, "(unknown)"},
		{"no version", &debug.BuildInfo{}, true, "(devel)"},
		{"a release", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, true, "v1.2.3"},
		{"a modified checkout", &debug.BuildInfo{
			Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123abc"},
				{Key: "vcs.modified", Value: "true"},
			},
		}, true, "(devel) 0123abc (modified)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := version(test.info, test.ok); got != test.want {
				t.Errorf("version() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestVersion_OfTheBinary(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(binary, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`^oidcauth \S.* go1\.\d+\S*\n$`); !want.Match(out) {
		t.Errorf("got %q, want it to match %s", out, want)
	}
}
