package realtime

import (
	"encoding/json"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A Module is a program for the database: its tables and its functions.
type Module struct {
	Tables     []TableInfo
	Reducers   map[string]Reducer
	Views      map[string]View
	Procedures map[string]Procedure

	// OnConnect runs when a connection begins; its error refuses it. OnDisconnect
	// runs when it has ended, whatever ended it. Nil does nothing.
	OnConnect, OnDisconnect func(*ReducerContext) error

	// Schedule has reducers that the database calls on its own behalf, and how often.
	Schedule map[string]time.Duration
}

// Run is the work of a reducer. What it returns is the caller's answer; an error
// undoes all that it changed.
type Run func(ctx *ReducerContext, args json.RawMessage) (any, error)

// A Reducer changes tables, all of it or nothing.
type Reducer struct {
	Allow oidcauth.Rule // who may call it; nil: the database alone
	Run   Run
}

// A View reads tables at one instant.
type View struct {
	Allow oidcauth.Rule // as in Reducer
	Read  func(ctx *ViewContext, args json.RawMessage) (any, error)
}

// A Procedure runs outside any transaction, may take its time and reach outside. It
// changes tables by calling reducers.
type Procedure struct {
	Allow oidcauth.Rule // as in Reducer
	Run   func(ctx *ProcedureContext, args json.RawMessage) (any, error)
}
