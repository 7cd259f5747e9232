"""Exit status 0 when the service in this container answers 200 at /healthz, or at the path that is the argument.

Sockets alone, without site-packages (``python -I -S``), take 0.05 s of a core; urllib takes four times that.
"""

import os
import socket
import sys

path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
with socket.create_connection(("127.0.0.1", int(os.environ["HTTP_PORT"])), timeout=8) as connection:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    sys.exit(connection.recv(64).split(b" ")[1:2] != [b"200"])
