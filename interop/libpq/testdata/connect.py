"""Connects with the libpq that psycopg-binary brings, and the token in standard input.

The connection string is the argument; what came of it is printed as JSON.
"""
import ctypes
import importlib.util
import json
import pathlib
import sys

BEARER_TOKEN = 1  # PQAUTHDATA_OAUTH_BEARER_TOKEN


class Request(ctypes.Structure):  # PGoauthBearerRequest
    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("run", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    ]


site = pathlib.Path(importlib.util.find_spec("psycopg_binary").origin).parent.parent
libraries = site / "psycopg_binary.libs"
pending = sorted(libraries.glob("lib*"))
while pending:  # each after those that it needs
    failed = []
    for library in pending:
        try:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        except OSError:
            failed.append(library)
    if len(failed) == len(pending):
        sys.exit(f"cannot be loaded: {failed}")
    pending = failed
libpq = ctypes.CDLL(str(next(libraries.glob("libpq-*"))))
for name in ("PQconnectdb", "PQexec"):
    getattr(libpq, name).restype = ctypes.c_void_p
for name in ("PQerrorMessage", "PQgetvalue"):
    getattr(libpq, name).restype = ctypes.c_char_p
libpq.PQstatus.argtypes = libpq.PQerrorMessage.argtypes = [ctypes.c_void_p]
libpq.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
libpq.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]

token = ctypes.create_string_buffer(sys.stdin.read().strip().encode())
asked = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def hook(kind, _connection, data):
    if kind != BEARER_TOKEN:
        return 0
    request = ctypes.cast(data, ctypes.POINTER(Request)).contents
    asked.append([(text or b"").decode() for text in (request.openid_configuration, request.scope)])
    request.token = ctypes.cast(token, ctypes.c_char_p)
    return 1


libpq.PQsetAuthDataHook(hook)
connection = libpq.PQconnectdb(sys.argv[1].encode())
outcome = {
    "version": libpq.PQlibVersion(),
    "connected": libpq.PQstatus(connection) == 0,
    "error": libpq.PQerrorMessage(connection).decode(),
    "asked": asked,
}
if outcome["connected"]:
    result = libpq.PQexec(connection, b"select current_user")
    outcome["user"] = (libpq.PQgetvalue(result, 0, 0) or b"").decode()
json.dump(outcome, sys.stdout)
