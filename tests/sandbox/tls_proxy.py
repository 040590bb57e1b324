"""TLS in front of a Unix socket, as an engine speaks it: each side of a connection ends by itself.

Started as `python tls_proxy.py SOCKET CA CERT KEY`; prints its port.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import sys
import threading

PIECE = 64 * 1024


def serve(path: str, ca: str, cert: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            connection, _ = listening.accept()
            arguments = (connection, context, path)
            threading.Thread(target=relay, args=arguments, daemon=True).start()


def relay(connection: socket.socket, context: ssl.SSLContext, path: str) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as engine:
        client = context.wrap_socket(connection, server_side=True)
        engine.connect(path)
        with client, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ)
            ready.register(engine, selectors.EVENT_READ)
            is_open = True
            while True:
                sides = [client] if client.pending() else [key.fileobj for key, _ in ready.select()]
                if engine in sides:
                    piece = engine.recv(PIECE)
                    if not piece:
                        return
                    client.sendall(piece)
                if client in sides and is_open:
                    piece = client.recv(PIECE)
                    if piece:
                        engine.sendall(piece)
                    else:
                        is_open = False
                        ready.unregister(client)
                        engine.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    serve(*sys.argv[1:])
