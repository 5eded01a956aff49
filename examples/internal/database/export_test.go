package database

import "github.com/oidcauth/oidcauth"

// Serve serves a frame as a socket with that session does.
func (s *Server) Serve(session *oidcauth.Session, frame Frame) Reply {
	k := &socket{server: s, session: session, ctx: session.Context(), end: session.Close}
	return k.reply(frame)
}
