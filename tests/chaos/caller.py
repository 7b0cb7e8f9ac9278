# SPDX-License-Identifier: Apache-2.0
"""Webhook calls as raw HTTP, timed by the kernel: the answer's time is that of its arrival in the
socket (SO_TIMESTAMPNS), not that of this process being scheduled to read it."""

import asyncio
import re
import socket
import struct
import time

SO_TIMESTAMPNS = 35
IDLE = 3.0   # seconds a connection is kept for another call
HEAD = re.compile(rb"HTTP/1\.1 (\d\d\d) .*?\r\n\r\n", re.S)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class Caller:
    def __init__(self, address):
        self.address = address
        self._idle = []       # (since, socket)

    async def _connection(self, loop):
        while self._idle:
            since, sock = self._idle.pop()
            if time.monotonic() - since < IDLE:
                return sock
            sock.close()
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            await loop.sock_connect(sock, self.address)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _some(self, loop, sock):
        """(bytes, wall clock of their arrival)"""
        ready = loop.create_future()
        loop.add_reader(sock.fileno(), lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(sock.fileno())
        data, ancillary, _, _ = sock.recvmsg(65536, 256)
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("@qq", value[:16])
                return data, seconds + nanoseconds / 1e9
        return data, time.time()

    async def _exchange(self, loop, sock, request, told):
        told["sent"] = time.time()   # before the first byte: never too short
        await loop.sock_sendall(sock, request)
        data = b""
        while not (found := HEAD.match(data)):
            more, at = await self._some(loop, sock)
            if not more:
                raise ConnectionError("hung up")
            data += more
            told["answered"] = at
        told["status"] = int(found[1])
        length = LENGTH.search(found[0])
        while len(data) < found.end() + int(length[1] if length else 0):
            more, _ = await self._some(loop, sock)
            if not more:
                return False
            data += more
        return b"connection: close" not in found[0].lower()

    async def call(self, path, body, headers, timeout):
        """{sent, answered, status} or {sent, error}; `answered` is set with `status` only."""
        loop = asyncio.get_running_loop()
        lines = [f"POST {path} HTTP/1.1", "Host: hooks.example.com",
                 "Content-Type: application/json", f"Content-Length: {len(body)}",
                 *(f"{name}: {value}" for name, value in headers.items())]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        told, sock, keep = {"sent": time.time()}, None, False
        try:
            async with asyncio.timeout(timeout):
                sock = await self._connection(loop)
                keep = await self._exchange(loop, sock, request, told)
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            told["error"] = type(error).__name__   # also of a call given up at the end: it was sent
        if "status" not in told:
            told.pop("answered", None)
        if keep:
            self._idle.append((time.monotonic(), sock))
        elif sock:
            sock.close()
        return told

    def close(self):
        for _, sock in self._idle:
            sock.close()
        self._idle = []
