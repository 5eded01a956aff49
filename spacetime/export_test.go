package spacetime

// For tests of the bytes.
var (
	FirstMessage      = firstMessage
	ParseConnectionID = parseConnectionID
)
