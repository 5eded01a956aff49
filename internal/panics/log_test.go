package panics_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/panics"
)

// A badHandler is one of a log of which one method panics.
type badHandler struct {
	slog.Handler
	method string
}

func (h badHandler) fail(method string) {
	if h.method == method {
		panic("secret")
	}
}

func (h badHandler) Enabled(ctx context.Context, l slog.Level) bool {
	h.fail("Enabled")
	return h.Handler.Enabled(ctx, l)
}

func (h badHandler) Handle(ctx context.Context, r slog.Record) error {
	h.fail("Handle")
	return h.Handler.Handle(ctx, r)
}

func (h badHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.fail("WithAttrs")
	return badHandler{h.Handler.WithAttrs(attrs), h.method}
}

func (h badHandler) WithGroup(name string) slog.Handler {
	h.fail("WithGroup")
	return badHandler{h.Handler.WithGroup(name), h.method}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method string
		want   string // in the line; empty for none
	}{
		{"", "level=INFO msg=hello a=b g.v=1"},
		{"Enabled", ""},
		{"Handle", ""},
		{"WithAttrs", "level=INFO msg=hello g.v=1"},
		{"WithGroup", "level=INFO msg=hello a=b v=1"},
	} {
		var b authtest.Log
		l := panics.Logger(slog.New(badHandler{slog.NewTextHandler(&b, nil), tt.method}))
		l.With("a", "b").WithGroup("g").Info("hello", "v", 1)
		if text := b.String(); !strings.Contains(text, tt.want) || (text == "") != (tt.want == "") || strings.Contains(text, "secret") {
			t.Errorf("%s panics: the log has %q, want %q", tt.method, text, tt.want)
		}
		l.Debug("not enabled")
		if strings.Contains(b.String(), "not enabled") {
			t.Errorf("%s panics: the log has what is not enabled", tt.method)
		}
	}
	panics.Logger(nil).Error("nowhere")
}

// A choosyHandler panics at lines with an attribute k, and keeps the others.
type choosyHandler struct {
	slog.Handler
	kept *[]slog.Record
}

func (h choosyHandler) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "k" {
			panic(a.Value)
		}
		return true
	})
	*h.kept = append(*h.kept, r)
	return nil
}

// What panicked, and where, is written in place of the attributes.
func TestLogger_Again(t *testing.T) {
	t.Parallel()
	var kept []slog.Record
	l := panics.Logger(slog.New(choosyHandler{slog.NewTextHandler(io.Discard, nil), &kept}))
	l.Warn("hello", "k", "secret")
	l.Warn("good", "v", 1)
	if len(kept) != 2 || kept[0].Message != "hello" || kept[0].Level != slog.LevelWarn || kept[0].NumAttrs() != 1 || kept[1].Message != "good" {
		t.Fatalf("the log has %v, want both lines", kept)
	}
	kept[0].Attrs(func(a slog.Attr) bool {
		if text := a.Value.String(); a.Key != "log" || !strings.Contains(text, "at log_test.go:") || strings.Contains(text, "secret") {
			t.Errorf("the attribute is %v, want where it panicked and no value", a)
		}
		return true
	})
}

// A failingHandler cannot write.
type failingHandler struct {
	slog.Handler
	err error
}

func (h failingHandler) Handle(context.Context, slog.Record) error { return h.err }

// What a handler fails with is the error of the handler that was made of it.
func TestLogger_Fails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	h := panics.Logger(slog.New(failingHandler{slog.DiscardHandler, full})).Handler()
	if err := h.Handle(t.Context(), slog.Record{}); err != full {
		t.Errorf("Handle() = %v, want %v", err, full)
	}
}
