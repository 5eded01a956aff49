package jws

import "slices"

// smallObject is the number of names that are compared one by one. An object
// with more is checked through a map, so that its names cost linear time.
const smallObject = 32

// nameSet tells the names of one object apart. Two readers of a token must never
// choose different ones of two values, so a name may not come twice.
type nameSet struct {
	outer  int             // where the object's names start among those of all open objects
	filter uint64          // one bit for each name, by a hash that many names may share
	many   map[string]bool // the names of an object with more than smallObject
}

// add appends a name to names, or refuses it as a duplicate.
func (n *nameSet) add(names []string, name string) ([]string, error) {
	own := names[n.outer:]
	if len(own) == smallObject {
		return names, n.addMany(own, name)
	}
	bit := nameBit(name)
	if n.filter&bit != 0 && slices.Contains(own, name) {
		return nil, duplicate(name)
	}
	n.filter |= bit
	return append(names, name), nil
}

// addMany adds a name to an object that has all of small and maybe more.
func (n *nameSet) addMany(small []string, name string) error {
	if n.many == nil {
		n.many = make(map[string]bool, 2*smallObject)
		for _, other := range small {
			n.many[other] = true
		}
	}
	if n.many[name] {
		return duplicate(name)
	}
	n.many[name] = true
	return nil
}

// nameBit returns one of 64 bits. It differs for most of the registered claims,
// and costs no more than a comparison.
func nameBit(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((uint(len(name)) + 5*uint(name[0]) + 11*uint(name[len(name)-1])) % 64)
}

func duplicate(name string) error {
	return refuse("duplicate member name %s", quote(name))
}
