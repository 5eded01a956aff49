package database

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/oidcauth/oidcauth"
)

var errNoSession = fmt.Errorf("%w: this socket was opened without a token: open another with one", ErrArguments)

// reply serves one frame.
func (k *socket) reply(frame Frame) Reply {
	ctx := k.callContext()
	result, err := k.invoke(ctx, frame)
	if err == nil {
		return Reply{ID: frame.ID, Status: http.StatusOK, Result: result}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // what it broke off with says less
	}
	k.server.report(ctx, err)
	f := faultOf(err)
	return Reply{ID: frame.ID, Status: f.Status, Error: f.Code, Description: f.Description}
}

// callContext returns the context of one frame. It acts for the bearer of the
// token that is current now.
func (k *socket) callContext() context.Context {
	if k.session == nil {
		return k.ctx
	}
	return k.session.CallContext()
}

func (k *socket) invoke(ctx context.Context, frame Frame) (any, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err // whatever is open to nobody is not open to this socket any more
	}
	named := 0
	for _, name := range []string{frame.Call, frame.View, frame.Run, frame.Renew} {
		if name != "" {
			named++
		}
	}
	db := k.server.db
	switch {
	case named != 1:
		return nil, fmt.Errorf("%w: want one of call, view, run and renew", ErrArguments)
	case frame.Call != "":
		return db.Call(ctx, frame.Call, frame.Args)
	case frame.View != "":
		return db.View(ctx, frame.View)
	case frame.Run != "":
		return db.Run(ctx, frame.Run, frame.Args)
	}
	return k.renew(ctx, frame.Renew)
}

// renew puts the socket under another token of the same identity. Like the one
// that opened the socket it has to be admitted to this database, which says more
// than that it is good. If it is refused, the socket goes on as it was.
func (k *socket) renew(ctx context.Context, token string) (any, error) {
	if k.session == nil {
		return nil, errNoSession
	}
	claims, err := k.server.auth.Authenticate(ctx, token)
	if err == nil {
		err = k.server.db.Connect(oidcauth.NewContext(ctx, claims))
	}
	if err == nil {
		claims, err = k.session.Renew(ctx, token)
	}
	if err != nil {
		k.server.logger.LogAttrs(ctx, slog.LevelWarn, "renewal refused",
			slog.String("caller", callerName(ctx)), slog.String("reason", err.Error()))
		return nil, err
	}
	return Renewed{Expires: claims.Expiry()}, nil
}
