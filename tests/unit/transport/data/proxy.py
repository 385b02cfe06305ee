"""Join standard input and output with a port on loopback, as `nc` does for a ProxyCommand."""

import os
import socket
import sys
import threading


def forward(sock):
    while data := os.read(0, 65536):
        sock.sendall(data)


with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    threading.Thread(target=forward, args=(connection,), daemon=True).start()
    while received := connection.recv(65536):
        os.write(1, received)
