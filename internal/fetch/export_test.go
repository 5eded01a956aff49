package fetch

// ParseMetadata and Refusal give the tests the two decisions that need no
// network.
var (
	ParseMetadata = parseMetadata
	Refusal       = refusal
)
