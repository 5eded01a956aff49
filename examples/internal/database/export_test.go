package database

import "github.com/oidcauth/oidcauth"

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

// Goodbye tells a client why its socket ends.
var Goodbye = goodbye
