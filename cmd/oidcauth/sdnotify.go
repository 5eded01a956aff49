package main

import (
	"log/slog"
	"net"
	"os"
)

// tellSystemd tells the service manager how the server is, as sd_notify(3) has it:
// "READY=1" once it listens, "STOPPING=1", or "STATUS=" and what "systemctl status"
// shows. Without a service manager that asked for it, it does nothing.
func tellSystemd(log *slog.Logger, state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		conn.Close()
	}
	if err != nil {
		log.Warn("the service manager could not be told", slog.String("state", state), slog.String("reason", err.Error()))
	}
}
