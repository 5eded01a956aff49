package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/authtest"
)

// TestLogLines: each line is written as it was, and those that somebody should read are
// counted, also of loggers that are made of this one.
func TestLogLines(t *testing.T) {
	t.Parallel()
	var log authtest.Log
	lines := new(logLines)
	logger := lines.counted(slog.New(slog.NewTextHandler(&log, nil)))
	logger.Debug("not written")
	logger.Info("refused")
	logger.Warn("one")
	logger.With("key", "value").Error("two")
	logger.WithGroup("group").Error("three", "key", "value")
	slog.NewLogLogger(logger.Handler(), slog.LevelWarn).Print("four")
	for _, want := range []string{"msg=refused", "level=WARN msg=one", "level=ERROR msg=two key=value", "msg=three group.key=value", "msg=four"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log = %s, want %s", log.String(), want)
		}
	}
	var out strings.Builder
	lines.write(&out)
	for _, want := range []string{`oidcauth_log_lines_total{level="warn"} 2`, `oidcauth_log_lines_total{level="error"} 2`} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("metrics = %s, want %s", out.String(), want)
		}
	}
	(*logLines)(nil).write(&out)
	mustBeExposition(t, out.String())
}

// TestServe_LogLines: what the log alone tells somebody on call is counted, and what
// strangers cause by the thousand is not.
func TestServe_LogLines(t *testing.T) {
	t.Parallel()
	says := func(s *service, level string, want int) {
		t.Helper()
		line := fmt.Sprintf("oidcauth_log_lines_total{level=%q} %d\n", level, want)
		if got := s.get(t, "/metrics", ""); !strings.Contains(got.body, line) {
			t.Errorf("no line %s in %s", line, got.body)
		}
	}
	good := fmt.Sprintf(`{"issuers": [%s], "watch": "5ms"}`, described(startIssuer(t), ""))
	file := writeFile(t, "config.json", good)
	s := serve(t, "--config", file)
	s.get(t, "/v1/whoami", "")
	s.awaitLines(t, "request refused", 1)
	says(s, "error", 0)
	says(s, "warn", 0)
	replaceFile(t, file, "{")
	s.awaitLines(t, "the configuration was not reloaded", 1)
	says(s, "error", 1)
}
