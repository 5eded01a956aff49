package database

import (
	"context"
	"encoding/json"

	"github.com/oidcauth/oidcauth"
)

// Serve serves a frame as a socket with that session does.
func (s *Server) Serve(session *oidcauth.Session, frame Frame) Reply {
	k := &socket{server: s, session: session, ctx: session.Context(), end: session.Close}
	return k.reply(frame)
}

// Hold has all reducers wait until it is released.
func (db *Database) Hold() (release func() error, err error) {
	tx, err := db.store.Begin(true)
	if err != nil {
		return nil, err
	}
	return tx.Rollback, nil
}

// Meanwhile has do called while a reducer runs.
func (db *Database) Meanwhile(reducer string, do func()) {
	r := db.reducers[reducer]
	run := r.Run
	r.Run = func(ctx context.Context, tx *Tx, args json.RawMessage) (any, error) {
		do()
		return run(ctx, tx, args)
	}
	db.reducers[reducer] = r
}

// Goodbye tells a client why its socket ends.
var Goodbye = goodbye
