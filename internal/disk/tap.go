package disk

// An Op is what a call does.
type Op string

const (
	Mkdir      Op = "mkdir"       // makes a directory
	SyncParent Op = "sync parent" // has a directory's own name survive a power cut
	OpenDir    Op = "open"
	Stat       Op = "stat"
	List       Op = "list"
	Read       Op = "read"
	Lock       Op = "lock" // may make the file of that name
	Create     Op = "create"
	Write      Op = "write"
	Sync       Op = "sync"
	Close      Op = "close"
	Link       Op = "link"
	Rename     Op = "rename"
	Remove     Op = "remove"
	SyncDir    Op = "sync directory" // has the names in a directory survive a power cut
)

// A Call is one call of the file system.
type Call struct {
	Op   Op
	Dir  string // the path of the directory
	Name string // of the file in it; empty if the call is about the directory itself
	To   string // the name that Link and Rename give
	Data []byte // what Write writes; a tap may cut it
}

// A Tap stands between a directory and the file system, in tests: it is asked to make
// each call, with do or not at all, and returns what came of it. Nil makes them all.
type Tap func(c *Call, do func() error) error

func (t Tap) call(c *Call, do func() error) error {
	if t == nil {
		return do()
	}
	return t(c, do)
}

func (d *Dir) call(c *Call, do func() error) error {
	c.Dir = d.path
	return d.tap.call(c, do)
}
