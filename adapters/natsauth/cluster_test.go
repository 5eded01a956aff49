package natsauth_test

import _ "github.com/coder/websocket"
