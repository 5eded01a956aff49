package keyring

// OpenOrCreateOn is [OpenOrCreate] through a tap.
var OpenOrCreateOn = openOrCreate

// Decode and Encode give the tests the form of the file.
var Decode = decode

func Encode(r Ring) ([]byte, error) { return r.encode() }
