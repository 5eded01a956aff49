package grpcauth

import (
	"errors"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/oidcauth/oidcauth"
)

// Error turns an error of oidcauth, or one that wraps one, into what the client is told:
// a status with the code Unauthenticated, InvalidArgument, PermissionDenied or
// Unavailable, and a fixed text without anything of the token or the server's
// configuration. Unavailable comes with a RetryInfo. Any other error, and nil, is
// returned as it is.
func Error(err error) error {
	if told, ok := statusOf(err); ok {
		return told
	}
	return err
}

// statusOf returns the status that tells of an error of oidcauth, and whether it is one: a
// refusal, or what [oidcauth.Answer] knows without, as a sentinel that a handler returns
// itself, or what [oidcauth.Authenticator.Revoke] says of a log that is down.
func statusOf(err error) (told error, ok bool) {
	refused, isRefusal := errors.AsType[*oidcauth.Refusal](err)
	if isRefusal {
		err = refused
	}
	answer, _, description := oidcauth.Answer(err)
	if !isRefusal && answer == http.StatusInternalServerError {
		return nil, false
	}
	s := status.New(codeOf(answer), description)
	if answer != http.StatusServiceUnavailable {
		return s.Err(), true
	}
	wait := &errdetails.RetryInfo{RetryDelay: durationpb.New(max(refused.RetryAfter(), time.Second))}
	if detailed, err := s.WithDetails(wait); err == nil {
		s = detailed
	}
	return s.Err(), true
}

// codeOf returns the code that says what an HTTP status does.
func codeOf(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.Internal
}
