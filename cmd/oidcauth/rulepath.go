package main

import "strings"

// covers reports whether path is the one of a rule, or below it.
func covers(rule, path string) bool {
	return rule == "/" || path == rule || strings.HasPrefix(path, rule) && path[len(rule)] == '/'
}

// foldCase returns text in the spelling in which all that differ in case agree.
func foldCase(text string) string { return strings.ToLower(strings.ToUpper(text)) }
