package dirlock

import "os"

// LockFile locks the file alone.
var LockFile = lockFile

// TryWith is [Try] where directories are locked by lockDir.
func TryWith(lockDir func(*os.File) error, root *os.Root, name string) (*Lock, error) {
	return try(lockDir, lockFile, root, name)
}

// TryWithFile is [Try] where files are locked by lockFile.
func TryWithFile(lockFile func(*os.Root, string) (*os.File, error), root *os.Root, name string) (*Lock, error) {
	return try(flock, lockFile, root, name)
}

// What locks files on systems without locks.
var (
	CreateFile = createFile
	RemoveFile = removeFile
)
