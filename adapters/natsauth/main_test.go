package natsauth_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// atOnce is how many of these tests run at once, which wait for servers most of
// the time, unless -parallel says otherwise.
const atOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", fmt.Sprint(atOnce)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
