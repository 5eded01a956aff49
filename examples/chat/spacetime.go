package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/examples/internal/realtime"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// database is the name of the chat in addresses of SpacetimeDB's clients.
const database = "chat"

// A guesthouse serves SpacetimeDB's published clients, beside the page: the same people,
// by the same tokens and identities, at the same tables.
type guesthouse struct {
	server *server
	local  *localissuer.Issuer // of the tickets that browsers open sockets with
	routes *spacetime.Server

	mu   sync.Mutex // guards open
	open map[*guest]struct{}
}

// openLocal opens the issuer of tickets. Its keys are beside the tables.
func openLocal(cfg config) (*localissuer.Issuer, error) {
	return localissuer.New(localissuer.Config{
		URL: "localhost", Dir: cfg.path + ".keys", Audiences: []string{cfg.clientID}, Logger: cfg.logger,
	})
}

// newGuesthouse serves those who have a token: nobody gets an identity for nothing.
func newGuesthouse(s *server, local *localissuer.Issuer, cfg config) (*guesthouse, error) {
	h := &guesthouse{server: s, local: local, open: make(map[*guest]struct{})}
	var err error
	h.routes, err = spacetime.New(spacetime.Config{
		Auth: s.auth, Local: local, Origins: []string{cfg.address}, Logger: cfg.logger,
		Database: func(_ context.Context, name string) error {
			if name != database {
				return spacetime.ErrNoDatabase
			}
			return nil
		},
		Serve: h.serve,
	})
	return h, err
}

// mount adds the routes.
func (h *guesthouse) mount(mux *http.ServeMux) {
	for _, pattern := range []string{
		"POST /v1/identity", "OPTIONS /v1/identity", "GET /v1/identity/", "POST /v1/identity/", "OPTIONS /v1/identity/",
		"GET /v1/database/{name}/subscribe",
	} {
		mux.Handle(pattern, h.routes)
	}
}

func (h *guesthouse) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	return errors.Join(h.routes.Close(ctx), h.local.Close())
}

// all returns who is connected.
func (h *guesthouse) all() []*guest {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.open))
}

// A guest is one connection of a client of SpacetimeDB's.
type guest struct {
	*spacetime.Conn
	id      string // the server's own: that of Conn is the client's choice, and may be another's
	db      *realtime.DB
	since   time.Time
	end     context.CancelFunc
	queue   chan []byte
	waiting atomic.Int64 // bytes in the queue
	subs    map[uint32]*querySet
}

// serve serves one connection. The package has sent the first message, and closes the
// connection with the session. Clients from before v2 get no more than that message.
func (h *guesthouse) serve(ctx context.Context, c *spacetime.Conn) {
	if strings.HasPrefix(c.Protocol, "v1.") {
		return
	}
	leave, err := h.server.places.take(c.Session.Context(), c.Session.Claims().Identity())
	if err != nil {
		tellWhy(c, err)
		return
	}
	defer leave()
	served, end := context.WithCancel(ctx)
	defer end()
	g := &guest{
		Conn: c, id: rand.Text(), db: h.server.db, since: time.Now(), end: end,
		queue: make(chan []byte, maxWaiting), subs: make(map[uint32]*querySet),
	}
	from := realtime.Caller{Context: c.Session.CallContext(), Connection: g.id}
	if err := g.db.Connect(from); err != nil {
		h.server.logger.InfoContext(ctx, "connection refused", "reason", err)
		tellWhy(c, err)
		return
	}
	defer func() {
		if err := g.db.Disconnect(from); err != nil {
			h.server.logger.Error("disconnect", "reason", err)
		}
	}()
	h.register(g, true)
	defer h.register(g, false)
	defer g.unsubscribe()

	var writing sync.WaitGroup
	writing.Go(func() { g.write(ctx, served) })
	defer writing.Wait()
	defer end()
	if err := g.read(served); errors.Is(err, errNoFrame) {
		tellWhy(c, err)
	}
}

// tellWhy closes a connection with what its client is to make of that: without it the code
// would be 1000, which says that all went well.
func tellWhy(c *spacetime.Conn, why error) {
	code, reason := closeCode(why)
	c.Close(int(code), reason)
}

func (h *guesthouse) register(g *guest, comes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if comes {
		h.open[g] = struct{}{}
	} else {
		delete(h.open, g)
	}
}

// read answers what the client says, until it says something that is not understood.
func (g *guest) read(ctx context.Context) error {
	for {
		frame, err := g.Read(ctx)
		if err != nil {
			return err
		}
		for r := (&bsatnReader{rest: frame}); len(r.rest) > 0; {
			m := r.message()
			if r.err != nil {
				return errNoFrame
			}
			g.answer(m)
		}
	}
}

// write sends what is in the queue until served ends. A message that is being sent then
// is sent whole, since one that is broken off takes the connection with it.
func (g *guest) write(ctx, served context.Context) {
	for {
		select {
		case <-served.Done():
			return
		case message := <-g.queue:
			g.waiting.Add(-int64(len(message)))
			limited, cancel := context.WithTimeout(ctx, writeLimit)
			err := g.Write(limited, message)
			cancel()
			if err != nil {
				g.end()
				return
			}
		}
	}
}

// put never blocks: a client that does not read loses its connection.
func (g *guest) put(message []byte) {
	if g.waiting.Load() >= maxWaitingBytes {
		g.end()
		return
	}
	g.waiting.Add(int64(len(message)))
	select {
	case g.queue <- message:
	default:
		g.end()
	}
}

func (g *guest) answer(m said) {
	from := realtime.Caller{Context: g.Session.CallContext(), Connection: g.id}
	switch m.tag {
	case saysSubscribe:
		if err := g.subscribe(from, m); err != nil {
			g.put(tell(tellsNoSubscribe).u8(0).u32(m.request).u32(m.querySet).text(err.Error()))
		}
	case saysUnsubscribe:
		if q := g.subs[m.querySet]; q != nil {
			q.sub.Close()
			delete(g.subs, m.querySet)
		}
		g.put(tell(tellsUnsubscribed).u32(m.request).u32(m.querySet).u8(1)) // no rows
	case saysReducer:
		g.put(g.call(from, m))
	case saysQuery:
		g.put(tell(tellsQuery).u32(m.request).u8(1).text("not here: subscribe"))
	case saysProcedure:
		g.put(tell(tellsProcedure).u8(1).text("not here: the page has them").time(time.Now()).time(time.UnixMicro(0)).u32(m.request))
	}
}

// call runs a reducer as the client. The rows that it changes come to all who watch
// them, the caller among them.
func (g *guest) call(from realtime.Caller, m said) []byte {
	const done, refused = 1, 2
	err := fmt.Errorf("%w: reducer %.40q", realtime.ErrNoFunction, m.name)
	if wanted, known := parameters[m.name]; known {
		var args json.RawMessage
		if args, err = argumentsOf(wanted, m.args); err == nil {
			_, err = g.db.Call(from, m.name, args)
		}
	}
	result := tell(tellsReducer).u32(m.request).time(time.Now())
	if err == nil {
		return result.u8(done)
	}
	_, _, description := answerOf(err)
	why := bsatn{}.text(description)
	return append(result.u8(refused).u32(uint32(len(why))), why...)
}

// everything is the one kind of query that is answered.
var everything = regexp.MustCompile(`^(?i:select\s+\*\s+from)\s+"?(\w+)"?;?$`)

// subscribe sends the rows of tables and then what becomes of them.
func (g *guest) subscribe(from realtime.Caller, m said) error {
	if len(g.subs) >= maxSubscriptions || g.subs[m.querySet] != nil {
		return errors.New("too many subscriptions, or one twice")
	}
	q := &querySet{guest: g, request: m.request, id: m.querySet, rows: make(map[string]map[string][]byte)}
	for _, query := range m.queries {
		name := everything.FindStringSubmatch(query)
		if name == nil || published[name[1]] == nil {
			return fmt.Errorf("query: got %.80q, want SELECT * FROM messages, or people", query)
		}
		q.rows[name[1]] = nil
	}
	q.awaited = len(q.rows)
	var err error
	if q.sub, err = g.db.Subscribe(from, slices.Collect(maps.Keys(q.rows)), q.take); err != nil {
		_, _, description := answerOf(err)
		return errors.New(description)
	}
	g.subs[m.querySet] = q
	return nil
}

func (g *guest) unsubscribe() {
	for _, q := range g.subs {
		q.sub.Close()
	}
}

// A querySet is one subscription. It remembers the rows that the client has, because
// a change says there what was before.
type querySet struct {
	guest       *guest
	sub         *realtime.Subscription
	request, id uint32
	awaited     int                          // tables whose rows are still to come
	rows        map[string]map[string][]byte // by table and key
}

// take is called by the feed, one message after the other.
func (q *querySet) take(message []byte) {
	var news realtime.Rows
	if err := json.Unmarshal(message, &news); err != nil {
		q.guest.end()
		return
	}
	inserts, deletes, err := q.change(news)
	if err != nil {
		q.guest.end()
		return
	}
	if !news.Whole {
		q.guest.put(tell(tellsChanges).u32(1).u32(q.id).u32(1).text(news.Table).u32(1).u8(0).rows(inserts...).rows(deletes...))
		return
	}
	if q.awaited--; q.awaited == 0 {
		q.guest.put(q.applied())
	}
}

// change brings the rows up to date, and returns what the client is to be told.
func (q *querySet) change(news realtime.Rows) (inserts, deletes [][]byte, err error) {
	if news.Whole {
		q.rows[news.Table] = make(map[string][]byte)
	}
	rows := q.rows[news.Table]
	for _, c := range news.Changes {
		if before := rows[c.Key]; before != nil {
			deletes = append(deletes, before)
		}
		delete(rows, c.Key)
		if c.Row == nil {
			continue
		}
		row, err := published[news.Table](c.Row)
		if err != nil {
			return nil, nil, err
		}
		rows[c.Key] = row
		inserts = append(inserts, row)
	}
	return inserts, deletes, nil
}

// applied tells all rows there are.
func (q *querySet) applied() []byte {
	message := tell(tellsSubscribed).u32(q.request).u32(q.id).u32(uint32(len(q.rows)))
	for _, table := range slices.Sorted(maps.Keys(q.rows)) {
		rows := q.rows[table]
		var all [][]byte
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			all = append(all, rows[key])
		}
		message = message.text(table).rows(all...)
	}
	return message
}
