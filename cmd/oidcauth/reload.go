package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/oidcauth/oidcauth"
)

// defaultWatch is how often the files of a configuration are looked at.
const defaultWatch = 2 * time.Second

// A reloader takes over a configuration that has changed, all of it or nothing.
type reloader struct {
	flags  *serveFlags
	server *server
	local  []oidcauth.Issuer // the local issuer, if there is one
	file   fileConfig        // what is in force, with the flags applied
	last   map[string]string // what the files held when they were last taken over, or refused

	// refused are the files that a configuration names which was refused: for want of one
	// of them, perhaps, which then is yet to come.
	refused []string

	hangUps chan os.Signal
}

// listen takes SIGHUP, which would end the process, from now until stop is called: also
// while the server starts and while it stops.
func (r *reloader) listen() (stop func()) {
	r.hangUps = make(chan os.Signal, 1)
	signal.Notify(r.hangUps, syscall.SIGHUP)
	return func() { signal.Stop(r.hangUps) }
}

// note takes what the files hold for what is in force, or is about to be, with those that
// the configuration names, which it returns: before any of them is read, so that what
// changes afterwards is a change.
func (r *reloader) note() (named []string) {
	r.last = digestFiles(r.watched())
	named = r.named()
	for name, digest := range digestFiles(named) {
		if _, noted := r.last[name]; !noted {
			r.last[name] = digest
		}
	}
	return named
}

// begin says what the first configuration is, after note.
func (r *reloader) begin(file fileConfig) {
	r.file = file
	r.forget()
}

// forget lets go of what is noted of files that are no longer watched.
func (r *reloader) forget() {
	watched := r.watched()
	maps.DeleteFunc(r.last, func(name, _ string) bool { return !slices.Contains(watched, name) })
}

// run reloads on SIGHUP and when the files change, until ctx ends.
func (r *reloader) run(ctx context.Context) {
	var looks <-chan time.Time
	if every := r.file.Watch.or(defaultWatch); every > 0 && len(r.watched()) > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		looks = ticker.C
	}
	seen := r.last
	for {
		r.server.certificate.warn(r.server.log, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-r.hangUps:
			r.reload(ctx, "SIGHUP")
			seen = r.last
		case <-looks:
			before := seen
			// What is still being written changes once more until the next look.
			if seen = digestFiles(r.watched()); maps.Equal(seen, before) && !maps.Equal(seen, r.last) {
				r.reload(ctx, "a file has changed")
			}
		}
	}
}

// watched are the files whose change is one of the configuration.
func (r *reloader) watched() []string {
	names := append([]string{r.flags.config}, paths(r.file.watchedFiles())...)
	return slices.DeleteFunc(append(names, r.refused...), func(name string) bool { return name == "" })
}

// named are the files that the configuration names which is to be taken over, if it can
// be read.
func (r *reloader) named() []string {
	file, err := r.flags.piped.read(r.flags.config)
	if err != nil {
		return nil
	}
	return paths(append(file.watchedFiles(), file.furtherFiles()...))
}

// reload takes the files over, or says why not.
func (r *reloader) reload(ctx context.Context, why string) {
	named := r.note()
	err := r.takeOver(ctx)
	if r.refused = nil; err != nil {
		r.refused = named
	}
	r.forget()
	r.server.reloads.count(err)
	for _, err := range each(err) {
		text := printable(hideSecrets(strings.ReplaceAll(err.Error(), "oidcauth: ", "")))
		r.server.log.Error("the configuration was not reloaded; the former one stays in force", slog.String("why", why), slog.String("reason", text))
	}
	if err != nil {
		tellSystemd(r.server.log, "STATUS=serving by the former configuration: the file's was refused, and the log says why")
		return
	}
	tellSystemd(r.server.log, "STATUS=serving")
	r.server.log.Info("the configuration was reloaded", slog.String("why", why), slog.Int("issuers", len(r.server.live.Load().issuers)))
}

// takeOver reads everything that may have changed, and puts it in force if all of it
// is good.
func (r *reloader) takeOver(ctx context.Context) error {
	cfg, file, err := r.flags.library()
	if err != nil {
		return err
	}
	if err := unchangeable(&r.file, &file); err != nil {
		return err
	}
	pair, err := file.TLS.read()
	if err != nil {
		return err
	}
	secret, err := file.Admin.readSecret()
	if err != nil {
		return err
	}
	cfg.Issuers = append(cfg.Issuers, r.local...)
	forward, err := file.Forward.forwarder(&file, cfg)
	if err != nil {
		return err
	}
	if err := r.flags.tryLibrary(cfg); err != nil { // before any of it is seen
		return err
	}
	done, err := r.server.forward.begin(forward)
	if err != nil {
		return err
	}
	taken := false
	defer func() { done(taken) }()
	next := newLive(cfg, &file)
	r.server.metrics.know(countedIssuers(cfg))
	if err := r.server.auth.SetIssuers(cfg.Issuers...); err != nil {
		return r.flags.whichIssuers(cfg, err)
	}
	taken = true
	r.flags.asking.keep()
	r.file = file
	r.server.live.Store(next)
	r.server.certificate.pair.Store(pair)
	r.server.admin.setSecret(secret)
	r.server.warmUp(ctx)
	file.warnOfOpenSecrets(r.server.log)
	return nil
}

// unchangeable names the settings that differ and that only a restart changes.
func unchangeable(now, next *fileConfig) error {
	var names []string
	a, b := reflect.ValueOf(now).Elem(), reflect.ValueOf(next).Elem()
	for _, m := range fileTable.Of(a.Type()) {
		if !m.Live && !reflect.DeepEqual(m.Value(a), m.Value(b)) {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("only a restart changes %s: restart the server, or put back what was there", strings.Join(names, ", "))
}

// digestFiles returns what stands for the content of files. One that cannot be read
// has a content of its own.
func digestFiles(names []string) map[string]string {
	all := make(map[string]string, len(names))
	for _, name := range names {
		text, err := digestFile(name)
		if err != nil {
			text = err.Error()
		}
		all[name] = text
	}
	return all
}

// digestFile returns what stands for the content of a file. What is no file, a pipe above
// all, never changes: its content is there once, and not for whoever looks first.
func digestFile(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(data)
	return string(digest[:]), nil
}
