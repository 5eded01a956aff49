package proxies_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/ports"
	"github.com/oidcauth/oidcauth/oidctest"
)

var (
	oauth2Proxy = flag.String("oauth2-proxy", "", "measure against this program; interop/proxies/compare does")
	rounds      = flag.Int("rounds", 5, "how often each is measured")
	duration    = flag.Duration("duration", 4*time.Second, "how long each time")
)

// A measured is what wrk says of one run, and the processor time of nginx and of what
// it asks, which does not depend on what else the machine does.
type measured struct{ perSecond, p99, cpu float64 } // requests; milliseconds; microseconds a request

// TestCompare measures requests through nginx: alone, with oidcauth, and with
// oauth2-proxy in its place and the same tokens, in turns.
func TestCompare(t *testing.T) {
	if *oauth2Proxy == "" {
		t.Skip("a measurement, which interop/proxies/compare makes")
	}
	w := newWorld(t, binary)
	w.issuer = oidctest.NewIssuer(t, oidctest.Config{Algorithm: "RS256"})
	w.issuer.Start()
	ways := []string{"alone", "oidcauth", "oauth2-proxy"}
	fronts, pids := make(map[string]string), make(map[string][]int)
	for _, way := range ways {
		before := len(w.pids)
		fronts[way] = w.startBehind(t, way)
		pids[way] = w.pids[before:len(w.pids):len(w.pids)]
	}
	script := w.script(t)
	all := make(map[string][]measured)
	for round := range *rounds + 1 {
		for _, way := range ways {
			before := cpu(t, pids[way])
			m, requests := wrk(t, script, fronts[way])
			m.cpu = float64((cpu(t, pids[way]) - before).Microseconds()) / requests
			t.Logf("%-12s %8.0f requests/s, p99 %7.2f ms, %4.0f µs of the processor each", way, m.perSecond, m.p99, m.cpu)
			if round > 0 { // the first warms up
				all[way] = append(all[way], m)
			}
		}
	}
	rate := func(m measured) float64 { return m.perSecond }
	p99 := func(m measured) float64 { return m.p99 }
	work := func(m measured) float64 { return m.cpu }
	// The ratios are those within a round, since the machine may have others to serve.
	ratio := func(way, other string, of func(measured) float64) float64 {
		var values []float64
		for i, m := range all[way] {
			values = append(values, of(m)/of(all[other][i]))
		}
		return median(values)
	}
	for _, other := range []string{"alone", "oauth2-proxy"} {
		fmt.Printf("| of %s | requests/s | p99 | processor time a request |\n|---|---|---|---|\n", other)
		for _, way := range ways {
			fmt.Printf("| %s | %.2f | %.2f | %.2f |\n", way, ratio(way, other, rate), ratio(way, other, p99), ratio(way, other, work))
		}
	}
	if got := ratio("oauth2-proxy", "oidcauth", work); got < 3 {
		t.Errorf("oauth2-proxy takes %.2f times the work for a request, want 3", got)
	}
}

// cpu returns the processor time that processes have taken.
func cpu(t *testing.T, pids []int) (total time.Duration) {
	t.Helper()
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, ticks := range fields[11:13] { // those of the program, and the system's for it
			n, err := strconv.Atoi(ticks)
			if err != nil {
				t.Fatal(err)
			}
			total += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return total
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// startBehind starts an nginx, and what it asks, and returns the port.
func (w *world) startBehind(t *testing.T, way string) string {
	t.Helper()
	for _, port := range []*string{&w.front, &w.oidcauth, &w.service} {
		*port = ports.ReserveFor(t).String()
	}
	dir := t.TempDir()
	w.write(t, dir, "nginx.conf")
	name := filepath.Join(dir, "nginx.conf")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	conf := string(text)
	switch way {
	case "alone":
		conf = regexp.MustCompile(`(?m)^ *(auth_request|error_page|proxy_set_header (X-Auth|Authorization|Cookie|Sec)).*$`).ReplaceAllString(conf, "")
		conf = strings.NewReplacer("$auth_retry", `""`, "$auth_status", "$status").Replace(conf)
		if strings.Contains(conf, "auth_request") {
			t.Fatal("nginx would ask")
		}
	case "oidcauth":
		w.serve(t, "nginx", nil)
		w.stop = func() {}
	case "oauth2-proxy":
		conf = strings.ReplaceAll(conf, "/v1/forward-auth", "/oauth2/auth")
		_, printed := w.run(t, way, exec.Command(*oauth2Proxy, "--provider=oidc", "--oidc-issuer-url="+w.issuer.URL(),
			"--skip-jwt-bearer-tokens", "--client-id=https://api.example.com", "--client-secret=unused",
			"--cookie-secret=0123456789abcdef0123456789abcdef", "--email-domain=*", "--upstream=static://202", "--reverse-proxy",
			"--http-address=127.0.0.1:"+w.oidcauth, "--request-logging=false", "--auth-logging=false"))
		await(t, w.oidcauth, printed)
	}
	conf += "server { listen 127.0.0.1:" + w.service + "; location / { return 204; } }\n"
	if err := os.WriteFile(name, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	_, printed := w.run(t, "nginx", proxies[0].command(t, dir))
	await(t, w.front, printed)
	for token, want := range map[string]int{w.benchToken(0): http.StatusNoContent, w.benchToken(0) + "x": http.StatusUnauthorized} {
		if got := w.get(t, "GET", "/items", token); got.status != want && way != "alone" {
			t.Fatalf("%s: %+v, want %d\n%s", way, got, want, printed)
		}
	}
	return w.front
}

// benchToken returns a token that both servers accept.
func (w *world) benchToken(n int) string {
	return w.issuer.Token(map[string]any{
		"sub": fmt.Sprint("user-", n), "aud": "https://api.example.com", "email": fmt.Sprintf("user-%d@example.com", n), "email_verified": true,
		"exp": time.Now().Add(time.Hour).Unix(),
	})
}

// script returns what has wrk send the tokens of a hundred callers in turn.
func (w *world) script(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("local tokens = {\n")
	for n := range 100 {
		fmt.Fprintf(&out, "  %q,\n", w.benchToken(n))
	}
	out.WriteString(`}
local requests, n = {}, 0
init = function()
  for i, token in ipairs(tokens) do
    requests[i] = wrk.format("GET", "/items", { ["Authorization"] = "Bearer " .. token })
  end
end
request = function()
  n = n % #requests + 1
  return requests[n]
end
`)
	file := filepath.Join(t.TempDir(), "wrk.lua")
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// wrk measures once. An answer that is no success fails the test.
func wrk(t *testing.T, script, front string) (m measured, requests float64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *duration+time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c16", "-d"+duration.String(), "--latency", "-s", script, "http://127.0.0.1:"+front).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	text := string(out)
	if strings.Contains(text, "Non-2xx") || strings.Contains(text, "Socket errors") {
		t.Fatalf("not all succeeded:\n%s", text)
	}
	rate := regexp.MustCompile(`Requests/sec: +([0-9.]+)`).FindStringSubmatch(text)
	last := regexp.MustCompile(`99% +([0-9.]+)(us|ms|s)\b`).FindStringSubmatch(text)
	sent := regexp.MustCompile(`(\d+) requests in `).FindStringSubmatch(text)
	if rate == nil || last == nil || sent == nil {
		t.Fatalf("wrk says:\n%s", text)
	}
	perSecond, _ := strconv.ParseFloat(rate[1], 64)
	p99, _ := strconv.ParseFloat(last[1], 64)
	requests, _ = strconv.ParseFloat(sent[1], 64)
	return measured{perSecond: perSecond, p99: p99 * map[string]float64{"us": 1e-3, "ms": 1, "s": 1e3}[last[2]]}, requests
}
