package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// tokenForm is what a token looks like wherever it is printed.
var tokenForm = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.`)

func TestStory(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	// What the story does while a token lives has time on a busy machine too.
	if err := run(t.Context(), []string{"-life", "10s"}, &out, &log); err != nil {
		t.Errorf("run() error = %v", err)
	}
	if !strings.Contains(out.String(), "All 43 steps came out as they should.") || strings.Contains(out.String(), "WRONG") {
		t.Errorf("story went otherwise than it should:\n%s", out.String())
	}
	if told := out.String(); !strings.HasPrefix(told, "What you will see: ") || !strings.HasSuffix(told, "docs/guide.md\n") {
		t.Errorf("story does not begin with what will be seen and end with where to go:\n%s", told)
	}
	for _, word := range []string{"identity ", "close code", "-serve"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("story says nothing of %q", word)
		}
	}
	if tokenForm.MatchString(out.String() + log.String()) {
		t.Error("the story prints a token")
	}
}

// TestStory_NoticesWhatIsWrong plays steps that come out otherwise than wanted.
func TestStory_NoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s, alice := stage(t)
	forged, err := flipped(alice.token)
	if err != nil {
		t.Fatal(err)
	}
	board := func(want int, because error) step {
		by := alice
		if because != nil {
			by.token = forged
		}
		return step{by: by, what: "board", want: want, because: because,
			do: func(ctx context.Context) (outcome, error) { return by.view(ctx, "board") }}
	}
	failing := board(http.StatusOK, nil)
	failing.do = func(context.Context) (outcome, error) { return outcome{}, errors.New("no network") }
	unexpected := board(http.StatusOK, nil)
	unexpected.check = rows(1)

	for _, row := range []struct {
		name  string
		step  step
		wrong int
	}{
		{"as wanted", board(http.StatusOK, nil), 0},
		{"refused as wanted", board(http.StatusUnauthorized, oidcauth.ErrSignature), 0},
		{"another status", board(http.StatusForbidden, nil), 1},
		{"refused for another reason", board(http.StatusUnauthorized, oidcauth.ErrExpired), 1},
		{"no answer", failing, 1},
		{"another result", unexpected, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			s.out, s.wrong = &out, 0
			s.play(t.Context(), row.step)
			if s.wrong != row.wrong || strings.Contains(out.String(), "WRONG") != (row.wrong > 0) {
				t.Errorf("wrong steps = %d, want %d; printed:\n%s", s.wrong, row.wrong, out.String())
			}
			if row.wrong > 0 && !strings.Contains(out.String(), "want") && row.step.check == nil {
				t.Errorf("the line does not say what was wanted:\n%s", out.String())
			}
		})
	}
}

// stage sets up a world and signs Alice in.
func stage(t *testing.T) (*story, caller) {
	t.Helper()
	w, err := startWorld(t.Context(), options{addr: "127.0.0.1:0", life: brief}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	s := &story{world: w}
	who, err := signInPerson(t.Context(), w.provider, app, "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	return s, s.caller("alice", who.accessToken())
}

func TestRun_RefusesCommandLine(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"issuer without audience":         {"-issuer", "https://issuer.example"},
		"audience without issuer":         {"-audience", "messages"},
		"word that is no flag":            {"serve"},
		"flag that does not exist":        {"-server"},
		"provider elsewhere, and address": {"-issuer", "https://issuer.example", "-audience", "messages", "-provider-addr", "127.0.0.1:0"},
		"provider that cannot be":         {"-provider-addr", "127.0.0.1:99999"},
		"life that is too short":          {"-life", "1s"},
		"life that is too long":           {"-life", "16s"},
		"address that cannot be":          {"-addr", "127.0.0.1:99999"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, log bytes.Buffer
			if err := run(t.Context(), args, &out, &log); err == nil {
				t.Errorf("run(%q) succeeded", args)
			}
		})
	}
}

// served runs the program until stop is called, and returns what it printed
// once that matches ready.
func served(t *testing.T, ready string, args ...string) (printed []string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := &watched{ready: regexp.MustCompile(ready), found: make(chan []string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, out, new(bytes.Buffer)) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return errors.New("did not end with its context")
		}
	})
	t.Cleanup(func() { stop() })
	select {
	case printed = <-out.found:
	case err := <-ended:
		t.Fatalf("ended before it served: %v", err)
	case <-time.After(patience):
		t.Fatal("never printed what it should")
	}
	return printed, stop
}

// watched waits for a text to be written. The program writes from one
// goroutine.
type watched struct {
	ready *regexp.Regexp
	found chan []string
	text  strings.Builder
}

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	if match := w.ready.FindStringSubmatch(w.text.String()); match != nil {
		select {
		case w.found <- match:
		default:
		}
	}
	return len(p), nil
}

func TestServe(t *testing.T) {
	t.Parallel()
	printed, stop := served(t, `(?s)provider  (\S+)\ndatabase  (\S+)\n.*TOKEN=\$\((.*?)\)\n\n.*Ctrl-C`, "-serve")
	if tokenForm.MatchString(printed[0]) {
		t.Error("it prints a token")
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		skip(t, "sh")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		skip(t, "curl")
	}
	token, err := exec.CommandContext(t.Context(), shell, "-c", printed[3]).Output()
	if err != nil {
		t.Fatal(err)
	}
	importer := caller{base: printed[2], token: strings.TrimSpace(string(token))}
	got, err := importer.call(t.Context(), "send_message", hello)
	if err != nil || got.status != http.StatusOK {
		t.Errorf("send_message with the printed command's token: got %d, %v, want 200", got.status, err)
	}
	tryCalls(t, shell, printed[0], importer.token)
	if err := stop(); err != nil {
		t.Errorf("run() error = %v", err)
	}
}

// A provider whose address is named is the same issuer at each start, for those whose
// configuration names it.
func TestServe_ProviderAddr(t *testing.T) {
	t.Parallel()
	const ready = `(?s)provider  http://(\S+)\ndatabase  \S+\n.*Ctrl-C`
	first, stop := served(t, ready, "-serve")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again, _ := served(t, ready, "-serve", "-provider-addr", first[1])
	if again[1] != first[1] {
		t.Errorf("started once more the provider is at %s, want %s", again[1], first[1])
	}
}

func TestServe_IssuerElsewhere(t *testing.T) {
	t.Parallel()
	p, err := provider.Start(t.Context(), provider.Config{Clients: []provider.Client{
		{ID: "writer", Secret: demoSecret, Audiences: []string{"my-server"}, Roles: []string{"writer"}, RFC9068: true},
		{ID: "other", Secret: demoSecret, Audiences: []string{"other-server"}, Roles: []string{"writer"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	printed, stop := served(t, `(?s)database  (\S+)\n.*Ctrl-C`, "-issuer", p.Issuer(), "-audience", "my-server")
	for clientID, want := range map[string]int{"writer": http.StatusOK, "other": http.StatusUnauthorized} {
		token, err := serviceToken(t.Context(), p, clientID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := caller{base: printed[1], token: token}.call(t.Context(), "send_message", hello)
		if err != nil || got.status != want {
			t.Errorf("%s: got %d, %v, want %d", clientID, got.status, err, want)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("run() error = %v", err)
	}
}

// tryCalls runs the printed commands in their order, as somebody would who copies
// them.
func tryCalls(t *testing.T, shell, printed, token string) {
	t.Helper()
	var script strings.Builder
	for line := range strings.Lines(printed) {
		if line := strings.TrimSpace(line); strings.HasPrefix(line, "bearer") || strings.HasPrefix(line, "curl") {
			script.WriteString(strings.Replace(line, "curl -i", `curl -s -o /dev/null -w '%{http_code} '`, 1) + "\n")
		}
	}
	cmd := exec.CommandContext(t.Context(), shell, "-c", script.String())
	cmd.Env = append(os.Environ(), "TOKEN="+token)
	const want = "200 200 200 403 200 401 "
	if got, err := cmd.Output(); err != nil || string(got) != want {
		t.Errorf("the printed commands: got %q, %v, want %q", got, err, want)
	}
}

func TestServe_IssuerDown(t *testing.T) {
	t.Parallel()
	p, err := provider.Start(t.Context(), provider.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	printed, stop := served(t, `(?s)database  (\S+)\nnote .*Ctrl-C`, "-issuer", p.Issuer(), "-audience", "my-server")
	got, err := caller{base: printed[1]}.view(t.Context(), "board")
	if err != nil || got.status != http.StatusOK {
		t.Errorf("public view while the issuer is down: got %d, %v, want 200", got.status, err)
	}
	if err := stop(); err != nil {
		t.Errorf("run() error = %v", err)
	}
}

// skip ends a test that needs a program which is not there. A build that runs
// every test must have it.
func skip(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing", program)
	}
	t.Skipf("%s is missing: install it to try the printed command", program)
}
