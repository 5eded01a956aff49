package reply

import "net/http"

// A Writer writes the answer to a refused request, in words of the program's own. It
// has the status of the refusal unless the program gives one that grants nothing either:
// a proxy that asks whether a request may pass takes whatever is below 300 for yes.
type Writer struct {
	w      http.ResponseWriter
	status int
	wrote  bool
}

// NewWriter returns a Writer for an answer with a status.
func NewWriter(w http.ResponseWriter, status int) *Writer { return &Writer{w: w, status: status} }

// Header implements [http.ResponseWriter].
func (w *Writer) Header() http.Header { return w.w.Header() }

// WriteHeader implements [http.ResponseWriter]. Only the first call counts.
func (w *Writer) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	if status < 300 || status > 599 {
		status = w.status
	}
	w.w.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *Writer) Write(body []byte) (int, error) {
	w.Finish()
	return w.w.Write(body)
}

// Finish writes the status if nothing was written.
func (w *Writer) Finish() {
	if !w.wrote {
		w.WriteHeader(w.status)
	}
}
