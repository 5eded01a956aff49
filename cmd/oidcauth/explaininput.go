package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// longestInput is the most that is read in search of a token. The library
// refuses tokens that are far smaller, and says so in its report.
const longestInput = 1 << 20

// token returns the token of the operand, of the file or of standard input.
func (f *explainFlags) token(ctx context.Context, std streams, operands []string) (string, error) {
	token, err := f.read(ctx, std, operands)
	if err != nil {
		return "", err
	}
	const scheme = "bearer "
	if len(token) >= len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) {
		token = token[len(scheme):]
		fmt.Fprintln(std.err, `oidcauth explain: took off the "Bearer " before the token`)
	}
	if token == "" {
		return "", usagef("no token: give one on standard input, or with --token-file")
	}
	return token, nil
}

// read returns what the token is read from, less one line end.
func (f *explainFlags) read(ctx context.Context, std streams, operands []string) (string, error) {
	if len(operands) == 1 && operands[0] != "-" {
		fmt.Fprintln(std.err, "oidcauth explain: others can see a token on the command line; standard input and --token-file hide it")
		return operands[0], nil
	}
	if f.tokenFile != "" {
		file, err := os.Open(f.tokenFile)
		if err != nil {
			return "", usageError{err}
		}
		defer file.Close()
		return readToken(ctx, file, f.tokenFile)
	}
	if isTerminal(std.in) {
		fmt.Fprintln(std.err, "oidcauth explain: paste the token, press Enter, then Ctrl-D")
	}
	return readToken(ctx, std.in, "standard input")
}

// readToken reads all of in, which name stands for in errors, until ctx ends.
func readToken(ctx context.Context, in io.Reader, name string) (string, error) {
	var data []byte
	read := make(chan error, 1)
	go func() { // ends with the input, or else with the process
		var err error
		data, err = io.ReadAll(io.LimitReader(in, longestInput+1))
		read <- err
	}()
	select {
	case err := <-read:
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	case <-ctx.Done():
		return "", fmt.Errorf("%s: %w", name, context.Cause(ctx))
	}
	if len(data) > longestInput {
		return "", errors.New(name + ": more than 1 MiB, which is no token")
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	data = bytes.TrimSuffix(data, []byte("\r"))
	return string(data), nil
}

// isTerminal reports whether r is a terminal, at which somebody may be waiting
// for a word.
func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
