package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oidcauth/oidcauth"
)

const textType = 25 // the OID of text

var readyForQuery = &pgproto3.ReadyForQuery{TxStatus: 'I'}

// answer runs a query of the simple protocol. It stands for a database: what
// matters is that each query acts for whoever the session is of at that moment.
// There is no answer once the session has ended. While it goes on, a query can fail because
// nobody can tell what the client still may (Issuer.Supplement).
func (c *client) answer(query string) []pgproto3.BackendMessage {
	ctx := c.session.CallContext()
	caller, ok := oidcauth.FromContext(ctx)
	switch {
	case !ok && c.session.Context().Err() != nil:
		return nil
	case !ok:
		return []pgproto3.BackendMessage{failureOf(context.Cause(ctx))}
	}
	switch strings.ToLower(strings.Trim(query, " \t\r\n;")) {
	case "":
		return []pgproto3.BackendMessage{&pgproto3.EmptyQueryResponse{}}
	case "select current_user":
		return row("current_user", caller.Subject())
	case "select identity":
		return row("identity", caller.Identity().String())
	case "select secret":
		if err := oidcauth.Require(ctx, oidcauth.HasRole("operator")); err != nil {
			return []pgproto3.BackendMessage{failureOf(err)}
		}
		return row("secret", "42")
	}
	return []pgproto3.BackendMessage{failure(syntaxError, "try: select current_user, select identity, select secret")}
}

// row is the answer of one row with one column.
func row(name, value string) []pgproto3.BackendMessage {
	return []pgproto3.BackendMessage{
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{
			Name: []byte(name), DataTypeOID: textType, DataTypeSize: -1, TypeModifier: -1, Format: pgproto3.TextFormat,
		}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte(value)}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
	}
}

// failureOf is the answer to a query that err stands against.
func failureOf(err error) *pgproto3.ErrorResponse {
	status, _, message := oidcauth.Answer(err)
	switch status {
	case http.StatusUnauthorized: // the token ended while the query ran
		return failure(invalidAuth, message)
	case http.StatusForbidden:
		return failure(insufficient, message)
	case http.StatusServiceUnavailable:
		return failure(cannotConnectNow, message)
	}
	return failure(internalError, message)
}

func failure(code, message string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code, Message: message}
}
