// Package supplement asks a function of the program's what a token does not say
// itself: once for many who wait for the same token, bounded in time, in number and
// in the size of the answer, and in moderation while the function fails.
package supplement

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

const (
	// Timeout is how long one question may take, the wait for its turn included unless it
	// stands in line, and forTurn how much of that the wait may: where more is asked than
	// can be answered, turns of questions that have no time left would be all that there
	// are, and nobody answered.
	Timeout = 5 * time.Second
	forTurn = Timeout / 2

	// MaxQuestions is how many questions of one issuer are under way at once.
	MaxQuestions = 32

	// stands is how long an outcome stands before the same token is asked about
	// again: a failure, so that whoever tries again at once is no flood, and an
	// answer, so that it is not asked for twice while those who waited keep it.
	stands = time.Second

	// After questions about the tokens of inARow bearers failed one after the other, there
	// is one in each pause until the next is answered. How many tokens of one bearer fail
	// says nothing: it may be their doing. One that had no turn has waited for others, and
	// is no failure: many who ask at once would have whoever is asked, and answers, asked by
	// nobody.
	inARow = 8
	pause  = 100 * time.Millisecond
)

// Why there is no answer. All are wrapped by an [UnavailableError].
var (
	ErrTimeout = errors.New("no answer in time")
	ErrUnheard = errors.New("not asked in time: too many questions before this one")
	ErrPaused  = errors.New("the last questions failed, and another is put in a moment")
	ErrClosed  = errors.New("closed")

	errNoToken = errors.New("an error whose text holds the token, and is left out therefore")
)

// An UnavailableError says why there is no answer, and when to try again.
type UnavailableError struct {
	Err        error
	RetryAfter time.Duration
}

// Error returns the cause.
func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// An Answer is what the function gave for one token. It never changes.
type Answer struct {
	Text  string    // a JSON object, or empty for nothing
	Asked time.Time // when the question began, by both clocks: see [Counts]
}

// A Config says what an [Asker] holds answers to.
type Config struct {
	Age      time.Duration // of an answer, from when the question began
	MaxBytes int           // of an answer
	Reserved []string      // names that no answer may have, beside [Registered]

	// Log is told of answers that are the program's fault, [ErrAnswer] or a panic, once a
	// second at most; and of any other failure, once a minute, or again after ten seconds
	// if it is another one. What strangers bring about has a line of its own.
	Log func(err error)

	// Whole says that an answer is all that is known of a token: it may have any name,
	// and must not be nothing.
	Whole bool
}

// A Stranger is who asks about a token that was not found good before, and the line in
// which such questions stand.
type Stranger struct {
	Caller netip.Addr // as [strangers.Account] has it
	Line   *strangers.Line
}

// A Function is the program's.
type Function func(context.Context) (json.RawMessage, error)

// An Asker puts questions about the tokens of one issuer. It is safe for
// concurrent use. It has goroutines for questions under way alone.
type Asker struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	turns  chan struct{} // one is in it for each question that runs
	under  sync.WaitGroup

	mu        sync.Mutex // guards what follows
	questions map[[sha256.Size]byte]*question
	row       map[[sha256.Size]byte]bool // bearers of whom questions failed, up to now
	next      time.Time                  // when one may be put although they fail

	faults, outages, strangersOutages lines
}

// A question is one about one token, under way or of just now.
type question struct {
	key   [sha256.Size]byte
	of    [sha256.Size]byte // the bearer, or the token where nobody knows that
	token string
	place *strangers.Place // nil for one that stands in no line
	asked time.Time
	done  chan struct{} // closed when the rest is there

	answer  *Answer
	err     error
	settled time.Time
	stands  time.Duration // from then on
}

// New returns an Asker.
func New(cfg Config) *Asker {
	ctx, cancel := context.WithCancel(context.Background())
	return &Asker{
		cfg: cfg, ctx: ctx, cancel: cancel,
		turns:     make(chan struct{}, MaxQuestions),
		questions: make(map[[sha256.Size]byte]*question),
		row:       make(map[[sha256.Size]byte]bool),
	}
}

// Ask returns the answer about a token, which must have been verified. All who ask
// about the same token meanwhile share one call of put, which has the values of
// the first one's ctx and nobody's end. It returns when ctx ends at the latest.
//
// The error is an [UnavailableError], or an ErrRevoked of the function's own.
func (a *Asker) Ask(ctx context.Context, token string, put Function) (*Answer, error) {
	return a.AskFor(ctx, nil, token, put)
}

// AskOf is Ask about a token of a bearer that is what somebody says of it: who asks about
// the same token and was told something else does not share the call.
func (a *Asker) AskOf(ctx context.Context, token, bearer, said string, put Function) (*Answer, error) {
	about := sha256.Sum256([]byte(token))
	key := sha256.Sum256(append(about[:], said...))
	return a.ask(ctx, nil, &question{key: key, of: sha256.Sum256([]byte(bearer)), token: token}, put)
}

// AskFor is Ask about a token that need not have been verified. Unless that is known
// otherwise, the question stands in line, on the account of who asks, and its failure
// is no reason to put fewer of others.
func (a *Asker) AskFor(ctx context.Context, who *Stranger, token string, put Function) (*Answer, error) {
	key := sha256.Sum256([]byte(token))
	return a.ask(ctx, who, &question{key: key, of: key, token: token}, put)
}

// ask asks the question, or waits for one that is the same.
func (a *Asker) ask(ctx context.Context, who *Stranger, q *question, put Function) (*Answer, error) {
	q, err := a.join(ctx, who, q, put)
	if err != nil {
		return nil, err
	}
	select {
	case <-q.done:
	default:
		select {
		case <-q.done:
		case <-ctx.Done():
			return nil, &UnavailableError{Err: refusal.Ended(ctx)}
		}
	}
	if q.err == nil || errors.Is(q.err, refusal.ErrRevoked) {
		return q.answer, q.err
	}
	return nil, &UnavailableError{Err: q.err, RetryAfter: max(q.stands-time.Since(q.settled), strangers.RetryAfter(q.err), 0)}
}

// join returns the question that the key stands for, the new one if there is none.
func (a *Asker) join(ctx context.Context, who *Stranger, q *question, put Function) (*question, error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if same := a.questions[q.key]; same != nil && (same.answer == nil || !clocks.Reached(now, same.asked.Add(a.cfg.Age))) {
		if same.place != nil && who != nil {
			same.place.Share(who.Caller)
		}
		return same, nil
	}
	if a.ctx.Err() != nil {
		return nil, &UnavailableError{Err: ErrClosed}
	}
	place, err := a.begin(who, now)
	if err != nil {
		return nil, err
	}
	q.place, q.asked, q.done = place, now, make(chan struct{})
	a.questions[q.key] = q
	a.under.Go(func() { a.put(context.WithoutCancel(ctx), q, put) })
	return q, nil
}

// begin lets a question begin, with the turn that it stands in line for, if any. The
// lock must be held.
func (a *Asker) begin(who *Stranger, now time.Time) (*strangers.Place, error) {
	if who != nil {
		place, err := who.Line.Stand(a.ctx, who.Caller)
		if err != nil {
			return nil, &UnavailableError{Err: err, RetryAfter: strangers.RetryAfter(err)}
		}
		return place, nil
	}
	if len(a.row) >= inARow && now.Before(a.next) {
		return nil, &UnavailableError{Err: ErrPaused, RetryAfter: stands}
	}
	a.next = now.Add(pause)
	return nil, nil
}

// put calls the function in its turn. Who waits has an outcome when the time is
// over, even if the function goes on; its turn ends when it returns.
func (a *Asker) put(ctx context.Context, q *question, put Function) {
	end, err := a.take(q)
	if err != nil {
		a.settle(q, nil, err)
		return
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, q.left())
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	defer context.AfterFunc(ctx, func() { a.settle(q, nil, a.ended(q)) })()
	if q.place != nil {
		defer context.AfterFunc(q.place.Context(), cancel)()
	}
	given := json.RawMessage(nil)
	err = panics.Err
	defer func() {
		// A panic, or an end of the goroutine, of the program's function must not
		// end the server, nor leave those waiting who wait for it.
		if v := recover(); v != nil {
			given, err = nil, panics.Error(v)
		}
		a.settle(q, given, err)
	}()
	given, err = put(ctx)
	panics.Try(err)
	if err != nil && ctx.Err() != nil {
		err = a.ended(q)
	}
}

// take waits until the question may be put, and returns what ends that.
func (a *Asker) take(q *question) (end func(), err error) {
	if q.place != nil {
		if q.place.Wait() != nil {
			q.place.End()
			return nil, a.ended(q)
		}
		return q.place.End, nil
	}
	patience := time.NewTimer(forTurn)
	defer patience.Stop()
	select {
	case a.turns <- struct{}{}:
		return func() { <-a.turns }, nil
	case <-patience.C:
		return nil, ErrUnheard
	case <-a.ctx.Done():
		return nil, ErrClosed
	}
}

// left returns how much time a question has whose turn has come. One that stood in line has
// all of it: its place there is lent for as long.
func (q *question) left() time.Duration {
	if q.place != nil {
		return Timeout
	}
	return Timeout - time.Since(q.asked)
}

// ended says why a question ended before it was answered.
func (a *Asker) ended(q *question) error {
	if a.ctx.Err() != nil {
		return ErrClosed
	}
	if q.place != nil {
		if err := q.place.Lost(); err != nil {
			return err
		}
	}
	return ErrTimeout
}

// settle makes the outcome of a question known, unless it is already. It stands
// for a moment.
func (a *Asker) settle(q *question, given json.RawMessage, err error) {
	var text string
	if err == nil {
		text, err = a.accept(given)
	}
	if a.note(q, text, err, a.standsFor(err)) && a.cfg.Log != nil {
		a.cfg.Log(q.err) // with no lock held, and nobody waiting: it may ask, too, or be slow
	}
}

// note is settle, and reports whether the outcome is to be logged.
func (a *Asker) note(q *question, text string, err error, stands time.Duration) (logs bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !q.settled.IsZero() {
		return false
	}
	q.settled, q.stands = time.Now(), stands
	if err == nil {
		q.answer = &Answer{Text: text, Asked: q.asked}
	} else {
		q.err = withoutToken(err, q.token)
	}
	// An answer that cannot be used is one too: whoever is asked is there. What anybody
	// asks says nothing of that: it may have been made to fail.
	switch {
	case err == nil || errors.Is(err, ErrAnswer) || errors.Is(err, refusal.ErrRevoked):
		clear(a.row)
	case q.place == nil && !errors.Is(err, ErrUnheard) && len(a.row) < inARow:
		a.row[q.of] = true
	}
	q.token = ""
	close(q.done)
	time.AfterFunc(stands, func() { a.drop(q) })
	return a.logs(q)
}

// logs reports whether a failure that somebody has to mend is to be logged now. The lock
// must be held.
func (a *Asker) logs(q *question) bool {
	switch {
	case q.err == nil, errors.Is(q.err, refusal.ErrRevoked), errors.Is(q.err, ErrClosed), strangers.RetryAfter(q.err) > 0:
		return false // an answer, or nobody was asked
	case IsFault(q.err):
		return a.faults.next(time.Now(), "", time.Second)
	case q.place != nil:
		return a.strangersOutages.next(time.Now(), q.err.Error(), time.Minute)
	}
	return a.outages.next(time.Now(), q.err.Error(), time.Minute)
}

// lines bound how often something is logged.
type lines struct {
	at   time.Time // of the last one
	text string
}

// anotherPause is how soon another text than the last may follow.
const anotherPause = 10 * time.Second

// next reports whether a line may follow now, and notes it.
func (l *lines) next(now time.Time, text string, pause time.Duration) bool {
	if text != l.text {
		pause = anotherPause
	}
	if now.Sub(l.at) < pause {
		return false
	}
	l.at, l.text = now, text
	return true
}

// IsFault reports whether an error is the fault of the program that is asked, which
// answered, rather than of whom it asks.
func IsFault(err error) bool { return errors.Is(err, ErrAnswer) || errors.Is(err, panics.Err) }

// drop lets go of a question whose outcome has stood long enough.
func (a *Asker) drop(q *question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.questions[q.key] == q {
		delete(a.questions, q.key)
	}
}

// Stop ends the questions that are under way, and waits for nothing: the function
// learns of it by its context. There are no answers afterwards.
func (a *Asker) Stop() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancel() // under the lock, so that none begins after it
}

// Close is Stop, and waits for the function to return, as it should when its context
// ends, for no longer than [Timeout].
func (a *Asker) Close() {
	if a == nil {
		return
	}
	a.Stop()
	done := make(chan struct{})
	go func() { a.under.Wait(); close(done) }()
	patience := time.NewTimer(Timeout)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	}
}
