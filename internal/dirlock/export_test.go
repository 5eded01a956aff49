package dirlock

// LockFile locks the file alone.
var LockFile = lockFile

// TryWith is [Try] where directories are locked by lockDir.
var TryWith = try
