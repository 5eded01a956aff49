package proxies_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

// binary is the command, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	if programs.Proxies.Missing() == nil {
		dir, err := os.MkdirTemp("", "oidcauth-proxies")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "oidcauth")
		if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/oidcauth").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
	}
	return programs.Main(m, programs.Proxies)
}

// A proxy is a program as docs/deploy.md configures it.
type proxy struct {
	name    string
	dialect string
	files   []string
	command func(t *testing.T, dir string) *exec.Cmd
	grpc    bool // it asks a program with adapters/envoyauth
}

// installed returns a program that interop/setup-proxies has put there.
func installed(t *testing.T, name string) string {
	t.Helper()
	dir, err := programs.ProxiesHome()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

var proxies = []proxy{
	{name: "nginx", dialect: "nginx", files: []string{"nginx.conf"}, command: func(t *testing.T, dir string) *exec.Cmd {
		// What Debian has around a file in conf.d, without its logs.
		main := fmt.Sprintf("pid %[1]s/pid;\nevents {}\nhttp { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; include %[1]s/nginx.conf; }\n", dir)
		if err := os.WriteFile(filepath.Join(dir, "main.conf"), []byte(main), 0o644); err != nil {
			t.Fatal(err)
		}
		return exec.Command("nginx", "-c", filepath.Join(dir, "main.conf"), "-e", "stderr", "-g", "daemon off; master_process off;")
	}},
	{name: "caddy 2.6", dialect: "caddy", files: []string{"Caddyfile"}, command: caddy(func(*testing.T) string { return "caddy" })},
	{name: "caddy 2.11", dialect: "caddy", files: []string{"Caddyfile"}, command: caddy(func(t *testing.T) string { return installed(t, "caddy") })},
	{name: "haproxy", dialect: "haproxy", files: []string{"haproxy.cfg", "oidcauth.lua"}, command: func(_ *testing.T, dir string) *exec.Cmd {
		return exec.Command("haproxy", "-db", "-C", dir, "-f", "haproxy.cfg")
	}},
	{name: "traefik", dialect: "traefik", files: []string{"traefik.yml", "dynamic.yml"}, command: func(t *testing.T, dir string) *exec.Cmd {
		cmd := exec.Command(installed(t, "traefik"), "--configFile=traefik.yml")
		cmd.Dir = dir
		return cmd
	}},
	{name: "envoy", dialect: "envoy", files: []string{"envoy.yaml"}, command: envoy},
	{name: "envoy by gRPC", files: []string{"envoy.yaml", "ext_authz.yaml", "cluster.yaml"}, command: envoyByGRPC, grpc: true},
}

func envoy(t *testing.T, dir string) *exec.Cmd {
	return exec.Command(installed(t, "envoy"), "-c", filepath.Join(dir, "envoy.yaml"), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning")
}

// envoyByGRPC is envoy with the parts of its configuration that the page has for it.
func envoyByGRPC(t *testing.T, dir string) *exec.Cmd {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text := read("envoy.yaml")
	for part, whole := range map[string]string{
		"ext_authz.yaml": `(?s) +- name: envoy\.filters\.http\.ext_authz\n.*?( +- name: envoy\.filters\.http\.router\n)`,
		"cluster.yaml":   `(?s)    - name: oidcauth\n.*?(    - name: service\n)`,
	} {
		re := regexp.MustCompile(whole)
		if !re.MatchString(text) {
			t.Fatalf("nothing for %s to replace", part)
		}
		text = re.ReplaceAllString(text, strings.ReplaceAll(read(part), "$", "$$")+"$1")
	}
	if err := os.WriteFile(filepath.Join(dir, "envoy.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return envoy(t, dir)
}

// caddy runs one of the versions, with a directory of the test for what it keeps.
func caddy(program func(*testing.T) string) func(*testing.T, string) *exec.Cmd {
	return func(t *testing.T, dir string) *exec.Cmd {
		// Several run at once, and only one can have the port of the administration.
		text := "{\n\tadmin off\n}\nimport Caddyfile\n"
		if err := os.WriteFile(filepath.Join(dir, "main"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program(t), "run", "--adapter", "caddyfile", "--config", "main")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		return cmd
	}
}

// start starts the proxy in a world.
func (p proxy) start(t *testing.T, w *world) {
	t.Helper()
	dir := t.TempDir()
	w.write(t, dir, p.files...)
	_, printed := w.run(t, p.name, p.command(t, dir))
	await(t, w.front, printed)
}

// readAnswer reads what a proxy answers.
func readAnswer(c net.Conn, method string) (answer, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	var got seen
	if strings.HasPrefix(a.body, `{"Method"`) && json.Unmarshal(body, &got) == nil {
		a.seen = &got
	}
	return a, nil
}
