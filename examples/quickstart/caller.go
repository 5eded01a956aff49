package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const answerLimit = 1 << 20

// caller is a client of the database: a name for the story and a token, which
// may be none.
type caller struct {
	name  string
	base  string // URL of the server
	token string
}

// outcome is what a call came to.
type outcome struct {
	status      int
	description string
	result      json.RawMessage
}

func (c caller) call(ctx context.Context, reducer, args string) (outcome, error) {
	return c.send(ctx, http.MethodPost, "/v1/call/"+reducer, args)
}

func (c caller) view(ctx context.Context, view string) (outcome, error) {
	return c.send(ctx, http.MethodGet, "/v1/view/"+view, "")
}

func (c caller) run(ctx context.Context, procedure string) (outcome, error) {
	return c.send(ctx, http.MethodPost, "/v1/run/"+procedure, "")
}

func (c caller) send(ctx context.Context, method, path, body string) (outcome, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return outcome{}, err
	}
	defer response.Body.Close()
	var answer struct {
		Result      json.RawMessage `json:"result"`
		Description string          `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answerLimit)).Decode(&answer); err != nil {
		return outcome{}, fmt.Errorf("%s %s: answer: %w", method, path, err)
	}
	return outcome{response.StatusCode, answer.Description, answer.Result}, nil
}
