package supplement_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// A table is a function of the program's that counts its calls.
type table struct {
	calls   atomic.Int32
	running atomic.Int32
	most    atomic.Int32
	takes   time.Duration
	answer  func() (json.RawMessage, error)
}

func (p *table) ask(ctx context.Context) (json.RawMessage, error) {
	p.calls.Add(1)
	running := p.running.Add(1)
	defer p.running.Add(-1)
	for most := p.most.Load(); running > most && !p.most.CompareAndSwap(most, running); most = p.most.Load() {
	}
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.answer != nil {
		return p.answer()
	}
	return json.RawMessage(`{"roles":["a"]}`), nil
}

func newAsker() *supplement.Asker {
	return supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 64})
}

// askMany asks about each token so many times at once and returns the outcomes.
func askMany(a *supplement.Asker, p *table, tokens, times int) []error {
	outcomes := make([]error, tokens*times)
	var all sync.WaitGroup
	for i := range outcomes {
		all.Go(func() {
			_, outcomes[i] = a.Ask(context.Background(), fmt.Sprint("token ", i%tokens), p.ask)
		})
	}
	all.Wait()
	return outcomes
}

func countErrors(outcomes []error) (n int) {
	for _, err := range outcomes {
		if err != nil {
			n++
		}
	}
	return n
}

// One question serves all who wait for a token, and those that come just behind.
func TestAsker_OneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p := newAsker(), &table{takes: time.Second}
		if n := countErrors(askMany(a, p, 3, 1000)); n != 0 {
			t.Errorf("%d refused", n)
		}
		if n := p.calls.Load(); n != 3 {
			t.Errorf("%d questions about 3 tokens", n)
		}
		askMany(a, p, 3, 1)
		if n := p.calls.Load(); n != 3 {
			t.Errorf("%d questions about 3 tokens, some of them a moment later", n)
		}
		time.Sleep(time.Second + time.Millisecond)
		askMany(a, p, 3, 1)
		if n := p.calls.Load(); n != 6 {
			t.Errorf("%d questions about 3 tokens, again after a while, want 6", n)
		}
	})
}

// An outcome of just now serves nobody for whom it is too old.
func TestAsker_Age(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p := supplement.New(supplement.Config{Age: 100 * time.Millisecond, MaxBytes: 64}), &table{}
		first, err := a.Ask(t.Context(), "token", p.ask)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		second, err := a.Ask(t.Context(), "token", p.ask)
		if err != nil || second == first || second.Asked.Sub(first.Asked) != 100*time.Millisecond {
			t.Errorf("Ask() = %v, error %v, want another answer than %v", second, err, first)
		}
	})
}

// The tokens of one are not answered with the other's answer.
func TestAsker_Apart(t *testing.T) {
	a := newAsker()
	defer a.Close()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			want := fmt.Sprintf(`{"roles":["%d"]}`, i)
			answer, err := a.Ask(t.Context(), fmt.Sprint("token ", i), func(context.Context) (json.RawMessage, error) {
				runtime.Gosched()
				return json.RawMessage(want), nil
			})
			if err != nil || answer.Text != want {
				t.Errorf("Ask() = %v, error %v, want %s", answer, err, want)
			}
		})
	}
	all.Wait()
}

// Whoever leaves returns at once, and fails nobody else's question.
func TestAsker_Leaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p := newAsker(), &table{takes: 3 * time.Second}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		go func() {
			time.Sleep(time.Millisecond)
			if _, err := a.Ask(context.Background(), "token", p.ask); err != nil {
				t.Errorf("who stayed: error %v", err)
			}
		}()
		start := time.Now()
		_, err := a.Ask(ctx, "token", p.ask)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Ask() error = %v after %v", err, time.Since(start))
		}
		time.Sleep(5 * time.Second)
		if n := p.calls.Load(); n != 1 {
			t.Errorf("%d questions, want 1", n)
		}
	})
}

// An ownError cannot be told where it is nil.
type ownError struct{ text string }

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return errors.New(e.text) }

// A function that does not answer in time, or does not end when told, or panics,
// holds nobody up for longer.
func TestAsker_Timeout(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  supplement.Function
		want error
		wait time.Duration
	}{
		{"ends when told", (&table{takes: time.Hour}).ask, supplement.ErrTimeout, 5 * time.Second},
		{"does not end", func(context.Context) (json.RawMessage, error) { time.Sleep(time.Minute); return nil, nil }, supplement.ErrTimeout, 5 * time.Second},
		{"panics", func(context.Context) (json.RawMessage, error) { panic("token") }, nil, 0},
		{"panics by mistake", func(context.Context) (json.RawMessage, error) { return []json.RawMessage{}[len("x")], nil }, nil, 0},
		{"ends its goroutine", func(context.Context) (json.RawMessage, error) { runtime.Goexit(); return nil, nil }, nil, 0},
		{"returns a nil pointer as its error", func(context.Context) (json.RawMessage, error) { return json.RawMessage(`{}`), (*ownError)(nil) }, nil, 0},
		{"fails", func(context.Context) (json.RawMessage, error) { return nil, errDown }, errDown, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, start := newAsker(), time.Now()
				answer, err := a.Ask(context.Background(), "token", tt.put)
				unavailable, ok := errors.AsType[*supplement.UnavailableError](err)
				if !ok || tt.want != nil && !errors.Is(err, tt.want) || answer != nil || time.Since(start) != tt.wait {
					t.Errorf("Ask() = %v, error %v after %v, want %v after %v", answer, err, time.Since(start), tt.want, tt.wait)
				}
				if ok && unavailable.RetryAfter != time.Second {
					t.Errorf("retry after %v, want a second", unavailable.RetryAfter)
				}
				if strings.Contains(err.Error(), "token") {
					t.Errorf("the error tells of the token: %v", err)
				}
				a.Close()
				time.Sleep(time.Minute) // until the function has ended that did not when told
			})
		})
	}
}

var errDown = errors.New("down")

// A failure stands for a second. While all fail, whoever asks, ten questions a
// second are put, and the first that is answered lifts that.
func TestAsker_Flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p := newAsker(), &table{answer: func() (json.RawMessage, error) { return nil, errDown }}
		for range 500 {
			a.Ask(context.Background(), "one", p.ask)
			time.Sleep(10 * time.Millisecond)
		}
		if n := p.calls.Load(); n > 5 {
			t.Errorf("%d questions about one token in 5 seconds, want one a second", n)
		}
		time.Sleep(2 * time.Second)
		before := p.calls.Load()
		for i := range 10_000 {
			if _, err := a.Ask(context.Background(), fmt.Sprint(i), p.ask); err == nil {
				t.Fatal("an answer from nowhere")
			}
			time.Sleep(time.Millisecond)
		}
		if n := p.calls.Load() - before; n < 90 || n > 120 {
			t.Errorf("%d questions about 10,000 tokens in 10 seconds, want about 100", n)
		}
		p.answer = nil
		time.Sleep(2 * time.Second)
		if _, err := a.Ask(context.Background(), "good", p.ask); err != nil {
			t.Fatalf("Ask() error = %v after it went well again", err)
		}
		if n := countErrors(askMany(a, p, 200, 1)); n != 0 {
			t.Errorf("%d of 200 refused although one was answered", n)
		}
	})
}

// Answers that cannot be used, and tokens that are said to be revoked, slow nobody
// else's questions down: whoever is asked is there.
func TestAsker_OthersGoOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func() (json.RawMessage, error)
		want   error
	}{
		{"an array", func() (json.RawMessage, error) { return json.RawMessage(`[]`), nil }, supplement.ErrAnswer},
		{"revoked", func() (json.RawMessage, error) { return nil, fmt.Errorf("logged out: %w", refusal.ErrRevoked) }, refusal.ErrRevoked},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, p := newAsker(), &table{answer: tt.answer}
			for i, err := range askMany(a, p, 100, 1) {
				if !errors.Is(err, tt.want) {
					t.Fatalf("%s: outcome %d is %v, want %v", tt.name, i, err, tt.want)
				}
			}
			if n := p.calls.Load(); n != 100 {
				t.Errorf("%s: %d questions about 100 tokens", tt.name, n)
			}
		})
	}
}

// No more questions run at once than there may, and who finds no turn in time is
// told so.
func TestAsker_Turns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 32
		a, p := newAsker(), &table{takes: 2 * time.Second}
		refused := countErrors(askMany(a, p, 4*most, 1))
		if n := p.most.Load(); n != most {
			t.Errorf("%d questions at once, want %d", n, most)
		}
		if refused != 2*most { // those of the third round end with their time
			t.Errorf("%d of %d refused", refused, 4*most)
		}
	})
}

func TestAsker_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p := newAsker(), &table{takes: time.Hour}
		go func() { time.Sleep(time.Second); a.Close() }()
		_, err := a.Ask(context.Background(), "token", p.ask)
		if !errors.Is(err, supplement.ErrClosed) {
			t.Errorf("Ask() error = %v, want %v", err, supplement.ErrClosed)
		}
		if _, err = a.Ask(context.Background(), "another", p.ask); !errors.Is(err, supplement.ErrClosed) || p.calls.Load() != 1 {
			t.Errorf("Ask() error = %v after Close, and %d questions", err, p.calls.Load())
		}
		synctest.Wait()
		if n := p.running.Load(); n != 0 {
			t.Errorf("%d questions go on", n)
		}
		(*supplement.Asker)(nil).Close()
	})
}

func TestAsker_Answers(t *testing.T) {
	for _, tt := range []struct{ name, answer, fault string }{
		{"roles", `{"roles":["a"]}`, ""},
		{"an empty object", `{}`, ""},
		{"nothing", "", ""},
		{"white space around it", " {} \n", ""},
		{"as long as may be", `{"a":"` + strings.Repeat("b", 56) + `"}`, ""},
		{"longer", `{"a":"` + strings.Repeat("b", 57) + `"}`, "65 bytes"},
		{"null", `null`, "not a JSON object"},
		{"a string", `"roles"`, "not a JSON object"},
		{"cut off", `{"roles":["a"]`, ""},
		{"two objects", `{}{}`, "after the JSON object"},
		{"a name twice", `{"roles":[],"roles":["a"]}`, "roles"},
		{"a name twice inside", `{"x":{"roles":[],"roles":["a"]}}`, "roles"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "UTF-8"},
		{"as deep as anything", strings.Repeat(`{"a":`, 10) + "1" + strings.Repeat("}", 10), ""},
		{"a subject", `{"sub":"mallory"}`, `"sub"`},
		{"a subject in an escape", `{"\u0073ub":"mallory"}`, `"sub"`},
		{"a reserved name", `{"tid":"x"}`, `"tid"`},
		{"a registered name in another case", `{"Sub":"x"}`, ""},
		{"a registered name below", `{"x":{"sub":"x"}}`, ""},
	} {
		var log lines
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 64, Reserved: []string{"tid"}, Log: log.add})
		answer, err := a.Ask(t.Context(), "head.body.signature", func(context.Context) (json.RawMessage, error) { return json.RawMessage(tt.answer), nil })
		a.Close() // which waits for what is being logged
		logged := log.all
		if bad := tt.fault != "" || tt.name == "cut off"; bad {
			if !errors.Is(err, supplement.ErrAnswer) || !strings.Contains(err.Error(), tt.fault) || len(logged) != 1 {
				t.Errorf("%s: error %v, logged %v, want %v with %s", tt.name, err, logged, supplement.ErrAnswer, tt.fault)
			}
		} else if err != nil || answer.Text != tt.answer || len(logged) != 0 {
			t.Errorf("%s: answer %v, error %v, logged %v", tt.name, answer, err, logged)
		}
	}
	// Written out again: one that is missing in the table would be missing here too.
	for name := range strings.FieldsSeq(`iss sub aud exp nbf iat jti azp nonce auth_time acr amr at_hash c_hash s_hash
		sid events txn toe sub_id cnf act may_act scope client_id authorization_details scp token_use hex_identity gty`) {
		if err := supplement.Check(`{"`+name+`":"x"}`, nil); !errors.Is(err, supplement.ErrAnswer) {
			t.Errorf("%s: error %v, want %v", name, err, supplement.ErrAnswer)
		}
	}
}

// Faults of the program are logged, in moderation, and no token with them.
func TestAsker_Log(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 64, Log: log.add})
		p := &table{answer: func() (json.RawMessage, error) { return json.RawMessage("x"), nil }}
		askMany(a, p, 500, 1)
		if len(log.settled()) != 1 {
			t.Errorf("%d lines for 500 faults in an instant, want one", len(log.settled()))
		}
		time.Sleep(time.Second)
		_, _ = a.Ask(t.Context(), "another", p.ask)
		if len(log.settled()) != 2 {
			t.Errorf("%d lines after a second, want another", len(log.settled()))
		}
		down := func(context.Context) (json.RawMessage, error) { return nil, errors.New("nobody is there") }
		for _, tt := range []struct {
			pause time.Duration
			want  int
		}{{0, 3}, {time.Second, 3}, {time.Minute - time.Second, 4}, {time.Minute - time.Second, 4}, {time.Second, 5}} {
			time.Sleep(tt.pause)
			if _, _ = a.Ask(t.Context(), fmt.Sprint(tt), down); len(log.settled()) != tt.want {
				t.Errorf("%d lines, %v into an outage, want %d, one a minute", len(log.settled()), tt.pause, tt.want)
			}
		}
		time.Sleep(time.Hour)
		for _, err := range []error{nil, refusal.ErrRevoked} {
			_, _ = a.Ask(t.Context(), fmt.Sprint(err), func(context.Context) (json.RawMessage, error) { return json.RawMessage("{}"), err })
		}
		if len(log.settled()) != 5 {
			t.Errorf("an answer is logged: %v", log.settled())
		}
		const token = "head.body.signature"
		for _, err := range []error{errors.New("GET /?access_token=" + token), fmt.Errorf("%s: %w", token, refusal.ErrRevoked)} {
			time.Sleep(2 * time.Second)
			_, got := a.Ask(context.Background(), token, func(context.Context) (json.RawMessage, error) { return nil, err })
			if got == nil || strings.Contains(got.Error(), token) || errors.Is(got, refusal.ErrRevoked) != errors.Is(err, refusal.ErrRevoked) {
				t.Errorf("%v became %v", strings.ReplaceAll(err.Error(), token, "TOKEN"), got)
			}
		}
	})
}

// An error of the program's has no token in its text, nor what follows the header of
// one, in no form that it is sent in; what has none stays as it is.
func TestAsker_ErrorsWithTokens(t *testing.T) {
	t.Parallel()
	const opaque, jwt = "opaque+token/of=somebody 1", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlIG9mIHRoZSB0b2tlbg"
	for _, tt := range []struct {
		name, token, text string
		kept              bool
	}{
		{"an address", opaque, (&url.Error{Op: "Get", URL: "https://i.test/?" + url.Values{"token": {opaque}}.Encode(), Err: io.EOF}).Error(), false},
		{"a path", opaque, "/tokens/" + url.PathEscape(opaque), false},
		{"Basic credentials", opaque, "Basic " + base64.StdEncoding.EncodeToString([]byte(opaque+":")), false},
		{"Basic credentials, a byte longer", opaque + "2", "Basic " + base64.StdEncoding.EncodeToString([]byte(opaque+"2:")), false},
		{"Basic credentials, two bytes longer", opaque + "23", "Basic " + base64.StdEncoding.EncodeToString([]byte(opaque+"23:")), false},
		{"Basic credentials behind a name", opaque, "Basic " + base64.StdEncoding.EncodeToString([]byte("c:"+opaque)), false},
		{"Basic credentials behind a longer name", opaque, "Basic " + base64.StdEncoding.EncodeToString([]byte("cl:"+opaque)), false},
		{"Basic credentials behind the longest", opaque, "Basic " + base64.StdEncoding.EncodeToString([]byte("cli:"+opaque)), false},
		{"base64url without padding", opaque + "2", base64.RawURLEncoding.EncodeToString([]byte("?" + opaque + "2")), false},
		{"a short token", "tok", "Basic " + base64.StdEncoding.EncodeToString([]byte("tok:")), false},
		{"another's Basic credentials", opaque, "Basic " + base64.StdEncoding.EncodeToString([]byte("somebody:else")), true},
		{"a token", jwt, "got " + jwt, false},
		{"its payload", jwt, "got eyJzdWIiOiJhbGljZSJ9", false},
		{"its signature", jwt, "got c2lnbmF0dXJlIG9mIHRoZSB0b2tlbg", false},
		{"a part of sixteen letters", "aaaa.bbbbbbbbbbbbbbbb.cccc", "got bbbbbbbbbbbbbbbb", false},
		{"one of fifteen", "aaaa.bbbbbbbbbbbbbbb.cccc", "got bbbbbbbbbbbbbbb", true},
		{"what no token of two letters is in", "to", "EOF", true},
		{"its header", jwt, "got eyJhbGciOiJFUzI1NiJ9", true},
		{"another's", jwt, "got eyJzdWIiOiJib2IifQ and " + opaque, true},
		{"a failure", opaque, "Get https://i.test/: EOF", true},
	} {
		a := supplement.New(supplement.Config{Age: time.Minute, MaxBytes: 64})
		_, err := a.Ask(t.Context(), tt.token, func(context.Context) (json.RawMessage, error) { return nil, errors.New(tt.text) })
		if err == nil || strings.Contains(err.Error(), tt.text) != tt.kept {
			t.Errorf("%s: kept %t, want %t", tt.name, err != nil && strings.Contains(err.Error(), tt.text), tt.kept)
		}
	}
}
