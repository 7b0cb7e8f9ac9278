# SPDX-License-Identifier: Apache-2.0
"""HTTP by hand, for requests that no well-behaved client sends."""

import socket
from dataclasses import dataclass


@dataclass
class Answer:
    status: int
    headers: dict     # names in lower case
    body: bytes


class Connection:
    def __init__(self, address, timeout=15):
        self.socket = socket.create_connection(address, timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data: bytes):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while still sending: the answer is there to be read

    def answer(self):
        """The next answer, or None when the other side hung up without one."""
        try:
            line = self.file.readline()
            if not line:
                return None
            status = int(line.split()[1])
            headers = {}
            while (line := self.file.readline()) not in (b"\r\n", b"\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            length = int(headers.get("content-length", 0)) if status >= 200 else 0
            return Answer(status, headers, self.file.read(length))
        except ConnectionResetError:
            return None

    def ended(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def request(path, headers=(), body=b"", method="POST", version="HTTP/1.1"):
    """The bytes of a request; `headers` are whole lines."""
    lines = [f"{method} {path} {version}".encode(), b"Host: hooks.example.com"]
    lines += [header.encode() if isinstance(header, str) else header for header in headers]
    if not any(line.lower().startswith((b"content-length:", b"transfer-encoding:"))
               for line in lines) and method == "POST":
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def exchange(address, data: bytes):
    with Connection(address) as connection:
        connection.send(data)
        return connection.answer()
