package simulation_test

import "github.com/oidcauth/oidcauth/oidctest"

type prover struct{ *oidctest.Prover }
