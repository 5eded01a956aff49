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

// Error turns an error of oidcauth into what the client is told: a status with
// the code Unauthenticated, InvalidArgument, PermissionDenied or Unavailable, and
// a fixed text without anything of the token or the server's configuration.
// Unavailable comes with a RetryInfo. Any other error, and nil, is returned as
// it is.
func Error(err error) error {
	if refusal, ok := errors.AsType[*oidcauth.Refusal](err); ok {
		return statusOf(refusal)
	}
	return err
}

func statusOf(refusal *oidcauth.Refusal) error {
	answer, _, description := oidcauth.Answer(refusal)
	s := status.New(codeOf(answer), description)
	if answer != http.StatusServiceUnavailable {
		return s.Err()
	}
	wait := &errdetails.RetryInfo{RetryDelay: durationpb.New(max(refusal.RetryAfter(), time.Second))}
	if detailed, err := s.WithDetails(wait); err == nil {
		s = detailed
	}
	return s.Err()
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
