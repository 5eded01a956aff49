package keyring

// OpenOrCreateOn is [OpenOrCreate] through a tap.
var OpenOrCreateOn = openOrCreate
