package fetch

// What the tests look at without a network: two decisions, and what headers say.
var (
	ParseMetadata = parseMetadata
	Refusal       = refusal
	Freshness     = freshness
	RetryAfter    = retryAfter
)
