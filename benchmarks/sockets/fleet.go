package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	dialers  = 16               // clients that connect at a time
	patience = 20 * time.Second // for what a client waits for, and for the last message
	mark     = "~"              // before, between and behind what a message says
	minText  = 60
	maxText  = 500 // the chat's limit
)

// A fleet is all clients of one server.
type fleet struct {
	clients  []*client
	names    []string // by client: what the server calls them
	messages int      // that are to come
	arrived  atomic.Int64
	readers  sync.WaitGroup
}

// A client has one socket. Only its reader uses what stands below conn, until it ends.
type client struct {
	fleet *fleet
	talk  protocol
	conn  *websocket.Conn
	came  []int32 // the numbers of the messages, as they came
	waits []time.Duration
	fault error // the first
	end   error // of reading
}

// connect has everybody enter the room.
func connect(ctx context.Context, talk protocol, address string, people []person, messages int) (*fleet, error) {
	f := &fleet{clients: make([]*client, len(people)), messages: messages}
	for _, p := range people {
		f.names = append(f.names, talk.name(p.issuer, p.sub))
	}
	faults := make([]error, dialers)
	var wg sync.WaitGroup
	for dialer := range dialers {
		wg.Go(func() {
			for n := dialer; n < len(people) && faults[dialer] == nil; n += dialers {
				c := &client{fleet: f, talk: talk, came: make([]int32, 0, messages), waits: make([]time.Duration, 0, messages)}
				faults[dialer] = c.enter(ctx, address, people[n].token)
				f.clients[n] = c
			}
		})
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		f.close()
		return nil, err
	}
	for _, c := range f.clients {
		f.readers.Go(c.read)
	}
	return f, nil
}

func (c *client) enter(ctx context.Context, address, token string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	options := &websocket.DialOptions{Subprotocols: c.talk.subprotocols}
	if c.talk.header != nil {
		options.HTTPHeader = c.talk.header(token)
	}
	conn, _, err := websocket.Dial(ctx, address+c.talk.path, options)
	if err != nil {
		return err
	}
	c.conn = conn
	conn.SetReadLimit(1 << 20)
	for n, text := range c.talk.enter(token) {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
		if err := c.answered(ctx, n+1); err != nil {
			return err
		}
	}
	return nil
}

// answered waits for the answer to what was said with a number.
func (c *client) answered(ctx context.Context, number int) error {
	for {
		_, frame, err := c.conn.Read(ctx)
		if err != nil {
			return err
		}
		if !bytes.Contains(frame, fmt.Appendf(nil, `"id":%d,`, number)) {
			continue
		}
		if bytes.Contains(frame, []byte(`"error"`)) {
			return fmt.Errorf("entering was refused: %s", frame)
		}
		return nil
	}
}

// read takes what comes until the connection ends.
func (c *client) read() {
	var buffer bytes.Buffer
	for {
		_, r, err := c.conn.Reader(context.Background())
		if err == nil {
			buffer.Reset()
			_, err = io.Copy(&buffer, r)
		}
		if err != nil {
			c.end = err
			return
		}
		now := time.Now()
		// Centrifugo may put several messages into a frame, a line each.
		for line := range bytes.Lines(buffer.Bytes()) {
			c.take(line, now)
		}
	}
}

func (c *client) take(line []byte, now time.Time) {
	if c.talk.ping != "" && string(bytes.TrimSpace(line)) == c.talk.ping {
		c.conn.Write(context.Background(), websocket.MessageText, []byte(c.talk.pong))
		return
	}
	_, said, found := bytes.Cut(line, []byte(mark))
	if !found {
		if bytes.Contains(line, []byte(`"error"`)) {
			c.fail("%s", line)
		}
		return
	}
	var fields [3]int64 // number, author, when it was due
	for i := range fields {
		var field []byte
		field, said, _ = bytes.Cut(said, []byte(mark))
		fields[i], _ = strconv.ParseInt(string(field), 10, 64)
	}
	number, by := fields[0], c.fleet.names[fields[1]]
	if author, _ := cut(line, c.talk.author, `"`); author != by {
		c.fail("number %d is said to be %q's, not %q's", number, author, by)
	}
	c.came = append(c.came, int32(number))
	c.waits = append(c.waits, now.Sub(time.Unix(0, fields[2])))
	c.fleet.arrived.Add(1)
}

func (c *client) fail(format string, args ...any) {
	if c.fault == nil {
		c.fault = fmt.Errorf("%w: "+format, append([]any{errLost}, args...)...)
	}
}

// talk has a message written at each instant at which one is due, by anybody, however
// long those before it take, and waits until all have come.
func (f *fleet) talk(ctx context.Context, rate, length int) error {
	start, interval := time.Now(), time.Second/time.Duration(rate)
	for n := range f.messages {
		due := start.Add(time.Duration(n) * interval)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
		}
		by := rand.IntN(len(f.clients))
		text := strings.Join([]string{"", strconv.Itoa(n), strconv.Itoa(by), strconv.FormatInt(due.UnixNano(), 10), ""}, mark)
		text += strings.Repeat("x", length-len(text))
		c := f.clients[by]
		if err := c.conn.Write(ctx, websocket.MessageText, []byte(c.talk.write(n, text))); err != nil {
			return err
		}
	}
	want := int64(f.messages) * int64(len(f.clients))
	for waited := time.Now(); f.arrived.Load() < want && time.Since(waited) < patience; {
		time.Sleep(10 * time.Millisecond)
	}
	f.close()
	return nil
}

// close ends all connections and waits until nobody reads.
func (f *fleet) close() {
	for _, c := range f.clients {
		if c != nil && c.conn != nil {
			c.conn.CloseNow()
		}
	}
	f.readers.Wait()
}

// complete returns an error unless everybody got every message once, by its author,
// and all in the same order. The fleet must be closed.
func (f *fleet) complete() error {
	order := f.clients[0].came
	once := slices.Sorted(slices.Values(order))
	if len(once) != f.messages || len(slices.Compact(once)) != f.messages {
		f.clients[0].fail("got %d of %d, or one twice (%v)", len(once), f.messages, f.clients[0].end)
	}
	for n, c := range f.clients {
		if !slices.Equal(c.came, order) {
			c.fail("got %d, and not what others got (%v)", len(c.came), c.end)
		}
		if c.fault != nil {
			return fmt.Errorf("client %d: %w", n, c.fault)
		}
	}
	return nil
}

// waits returns how long each message took to each client, the shortest first. The
// fleet must be closed.
func (f *fleet) waits() []time.Duration {
	var all []time.Duration
	for _, c := range f.clients {
		all = append(all, c.waits...)
	}
	slices.Sort(all)
	return all
}
