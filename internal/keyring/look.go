package keyring

// OpenToLook is [localissuer.New] of a configuration, for a program that only looks at the
// keys of a directory that is there: what it is told of tokens is not written there, since
// it issues none, and no change is followed. The issuer's methods that change keys return
// errors. Package localissuer sets it for the command.
var OpenToLook func(config any) (issuer any, err error)
