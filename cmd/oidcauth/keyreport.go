package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/explain"
)

// writeKeys prints a report on a key set for people.
func writeKeys(w io.Writer, report explain.KeySet, now time.Time) error {
	keys := table{head: []string{"KEY ID", "TYPE", "ALGORITHM", "USE", "USABLE"}}
	for _, key := range report.Keys {
		keys.add(orDash(key.ID), key.Type, orDash(key.Algorithm), orDash(key.Use), "yes")
	}
	for _, key := range report.Skipped {
		keys.add(orDash(key.ID), orDash(key.Type), "-", "-", "no: "+key.Skipped)
	}
	var out strings.Builder
	keys.write(&out)
	out.WriteByte('\n')
	for _, row := range [][2]string{
		{"issuer", report.Issuer},
		{"discovery", report.DiscoveryURL},
		{"key set", report.JWKSURL},
		{"state", string(report.State)},
		{"max-age", maxAge(report)},
		{"ETag", orDash(report.ETag)},
		{"kept fresh for", span(report.Lifetime)},
		{"fetched", instant(report.Fetched, now)},
		{"next refresh", instant(report.NextRefresh, now)},
		{"fresh until", instant(report.FreshUntil, now)},
		{"given up", instant(report.ServeUntil, now)},
	} {
		if row[1] != "" {
			fmt.Fprintf(&out, "%-14s  %s\n", row[0], printable(row[1]))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// orDash marks what is empty.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// maxAge says what the issuer said about the age of its answer.
func maxAge(report explain.KeySet) string {
	switch {
	case report.JWKSURL == "":
		return ""
	case report.MaxAge < 0:
		return "not stated"
	}
	return report.MaxAge.String()
}

// span words a duration, zero as nothing.
func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(time.Second).String()
}

// instant words a time and how far away it is, the zero time as nothing.
func instant(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	text := t.UTC().Format(time.RFC3339)
	if left := t.Sub(now).Round(time.Second); left > 0 {
		text += fmt.Sprintf(" (in %s)", left)
	}
	return text
}

// keysJSON is a report on a key set for machines.
type keysJSON struct {
	Issuer       string        `json:"issuer"`
	DiscoveryURL string        `json:"discovery_url,omitempty"`
	JWKSURL      string        `json:"jwks_url,omitempty"`
	State        string        `json:"state"`
	Keys         []keyJSON     `json:"keys"`
	Skipped      []skippedJSON `json:"skipped"`
	ETag         string        `json:"etag,omitempty"`
	MaxAge       *float64      `json:"max_age_seconds"` // null when the issuer states none
	Fetched      time.Time     `json:"fetched,omitzero"`
	NextRefresh  time.Time     `json:"next_refresh,omitzero"`
	FreshUntil   time.Time     `json:"fresh_until,omitzero"`
	ServeUntil   time.Time     `json:"serve_until,omitzero"`
}

type keyJSON struct {
	ID         string `json:"key_id"`
	Type       string `json:"type"`
	Algorithm  string `json:"algorithm,omitempty"`
	Use        string `json:"use,omitempty"`
	Thumbprint string `json:"thumbprint"`
}

type skippedJSON struct {
	ID     string `json:"key_id"`
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// writeKeysJSON prints a report on a key set for machines.
func writeKeysJSON(w io.Writer, report explain.KeySet) error {
	body := keysJSON{
		Issuer: report.Issuer, DiscoveryURL: report.DiscoveryURL, JWKSURL: report.JWKSURL,
		State: string(report.State), Keys: []keyJSON{}, Skipped: []skippedJSON{}, ETag: report.ETag,
		Fetched: report.Fetched.UTC(), NextRefresh: report.NextRefresh.UTC(),
		FreshUntil: report.FreshUntil.UTC(), ServeUntil: report.ServeUntil.UTC(),
	}
	if report.MaxAge >= 0 {
		seconds := report.MaxAge.Seconds()
		body.MaxAge = &seconds
	}
	for _, key := range report.Keys {
		body.Keys = append(body.Keys, keyJSON{key.ID, key.Type, key.Algorithm, key.Use, key.Thumbprint})
	}
	for _, key := range report.Skipped {
		body.Skipped = append(body.Skipped, skippedJSON{key.ID, key.Type, key.Skipped})
	}
	return encodeJSON(w, body)
}
