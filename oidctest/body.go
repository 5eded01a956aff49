package oidctest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"time"
)

// serveFault answers a request as its fault says.
func (v *visit) serveFault(w http.ResponseWriter, r *http.Request) {
	f, ctx := v.fault, r.Context()
	if f.waits() && hear(r) != nil || !v.pause(ctx, f.Delay) || (f.Hang && !v.hang(ctx)) {
		panic(http.ErrAbortHandler)
	}
	if f.Refuse || f.Reset {
		reset(w)
		return
	}
	if f.Redirect != "" {
		status := f.Status
		if status == 0 {
			status = http.StatusFound
		}
		f.setHeader(w.Header())
		http.Redirect(w, r, f.Redirect, status)
		return
	}
	if f.whole() && len(f.Header) == 0 {
		v.issuer.serveWell(v.fetch.Endpoint, w, r)
		return
	}
	// Asked only now, so that an answer after a wait shows the issuer as it is.
	a := v.issuer.answer(v.fetch.Endpoint, r)
	f.change(&a)
	if f.whole() {
		a.write(w, r)
		return
	}
	v.stream(w, r, a)
}

// waits reports whether somewhere in the answer there is a wait that ends when the
// client leaves.
func (f Fault) waits() bool { return f.Delay > 0 || f.Hang || f.Drip > 0 || f.Stall }

// hear reads the body of the request into memory: net/http notices that a client has
// left, and ends the request's context, only when it has read the whole request.
func hear(r *http.Request) error {
	if r.Body == nil { // as of a request that never went through a server
		return nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// change applies what the fault says about headers and body.
func (f Fault) change(a *answer) {
	if f.Status != 0 && f.Status != http.StatusOK && f.Body == nil {
		a.header = http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
		a.body = []byte(http.StatusText(f.Status) + "\n")
	}
	if f.Body != nil {
		a.body = f.Body
	}
	f.setHeader(a.header)
	if f.removes("Last-Modified") {
		a.modified = time.Time{}
	}
}

// setHeader replaces headers. One that is removed stays there without a value, or net/http
// would make one up.
func (f Fault) setHeader(h http.Header) {
	for name, values := range f.Header {
		h[name] = values
	}
}

// removes reports whether the fault takes a header out of the answer.
func (f Fault) removes(name string) bool {
	values, changed := f.Header[name]
	return changed && values == nil
}

// whole reports whether the answer is an ordinary one, for which conditional
// requests work.
func (f Fault) whole() bool {
	_, length := f.Header["Content-Length"]
	return (f.Status == 0 || f.Status == http.StatusOK) &&
		f.Body == nil && !length &&
		f.Pad == 0 && !f.Gzip && f.Drip == 0 && !f.Stall && !f.Cut
}

// stream sends an answer piece by piece.
func (v *visit) stream(w http.ResponseWriter, r *http.Request, a answer) {
	f := v.fault
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if f.Gzip {
		w.Header().Set("Content-Encoding", "gzip")
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
		return
	}
	v.writeBody(r.Context(), w, a.body)
}

// writeBody sends the body in two halves, because some faults lie between.
func (v *visit) writeBody(ctx context.Context, w http.ResponseWriter, body []byte) {
	f := v.fault
	out := &pieces{visit: v, ctx: ctx, w: w, rc: http.NewResponseController(w)}
	to, flush, end := io.Writer(out), func() {}, func() {}
	if f.Gzip {
		z := gzip.NewWriter(out)
		to, flush, end = z, func() { z.Flush() }, func() { z.Close() }
	}
	if f.removes("Content-Length") {
		out.rc.Flush() // or net/http would count what is short
	}
	from := io.MultiReader(io.LimitReader(blanks{}, f.Pad), bytes.NewReader(body))
	copied := func(n int64) {
		if _, err := io.CopyN(to, from, n); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	half := (f.Pad + int64(len(body))) / 2
	copied(half)
	if f.Stall || f.Cut {
		flush()
		out.rc.Flush()
	}
	if f.Stall && !v.hang(ctx) || f.Cut {
		panic(http.ErrAbortHandler)
	}
	copied(f.Pad + int64(len(body)) - half)
	end()
}

// pieces writes a body as slowly as the fault wants.
type pieces struct {
	visit *visit
	ctx   context.Context
	w     io.Writer
	rc    *http.ResponseController
}

func (p *pieces) Write(b []byte) (int, error) {
	f := p.visit.fault
	if f.Drip <= 0 {
		return p.w.Write(b)
	}
	sent := 0
	for sent < len(b) {
		if !p.visit.pause(p.ctx, f.Drip) {
			return sent, p.ctx.Err()
		}
		end := min(len(b), sent+max(1, f.DripBytes))
		n, err := p.w.Write(b[sent:end])
		sent += n
		if err != nil {
			return sent, err
		}
		if err := p.rc.Flush(); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// blanks is white space without end.
type blanks struct{}

func (blanks) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}
