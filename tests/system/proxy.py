# SPDX-License-Identifier: Apache-2.0
"""Stands between Kafka's clients and a broker and makes the network, or parts of Kafka, fail.
It knows as much of the protocol as that: frames begin with their length, requests with their key."""

import socket
import struct
import threading
import time
from collections import deque

from kafka import free_ports

# Keys of requests.
METADATA, API_VERSIONS, INIT_PRODUCER_ID = 3, 18, 22


class Lane:
    """One direction of one connection: frames that came in and are to go out, in order unless
    some of them are held."""

    def __init__(self, source, sink, is_request, is_new):
        self.source = source
        self.sink = sink
        self.is_request = is_request
        self.is_new = is_new          # of a connection made while newcomers were held
        self.frames = deque()         # (when it came, its bytes)
        self.is_closed = False


class Proxy:
    """Listens on a port of its own and passes on to 127.0.0.1:`target`."""

    def __init__(self, target):
        self.target = target
        self.port = free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self._changed = threading.Condition()
        self._delay = 0.0
        self._held = None             # a function of a request's key
        self._holds_answers = False
        self._holds_newcomers = False
        self._sockets = set()
        self._listener = None
        self.up()

    # --- what the tests say ---

    def delay(self, seconds):
        """Each frame arrives that much later, in both directions."""
        self._set(_delay=seconds)

    def hold(self, *keys):
        """Requests of these keys stay here."""
        self._set(_held=lambda key: key in keys)

    def hold_all_but(self, *keys):
        """All requests but these stay here."""
        self._set(_held=lambda key: key not in keys)

    def hold_answers(self):
        """Requests arrive, answers stay here."""
        self._set(_holds_answers=True)

    def hold_newcomers(self):
        """Connections made from now on are open, and nothing gets through."""
        self._set(_holds_newcomers=True)

    def heal(self):
        """Everything held goes on to where it was to go, and so does what comes."""
        self._set(_delay=0.0, _held=None, _holds_answers=False, _holds_newcomers=False)
        if self._listener is None:
            self.up()

    def cut(self):
        """Ends all connections there are."""
        with self._changed:
            sockets = list(self._sockets)
        for each in sockets:
            _shut(each)

    def up(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self):
        """Listens no more, and ends all connections."""
        if self._listener is not None:
            # A thread in accept() would keep a merely closed socket listening.
            _shut(self._listener)
            self._listener.close()
            self._listener = None
        self.cut()

    # --- how it is done ---

    def _set(self, **values):
        with self._changed:
            for name, value in values.items():
                setattr(self, name, value)
            self._changed.notify_all()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            for each in (client, broker):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                is_new = self._holds_newcomers
                self._sockets |= {client, broker}
            for lane in (Lane(client, broker, True, is_new), Lane(broker, client, False, is_new)):
                threading.Thread(target=self._read, args=(lane,), daemon=True).start()
                threading.Thread(target=self._write, args=(lane,), daemon=True).start()

    def _read(self, lane):
        try:
            with lane.source.makefile("rb") as file:
                while len(head := file.read(4)) == 4:
                    body = file.read(struct.unpack(">i", head)[0])
                    with self._changed:
                        lane.frames.append((time.monotonic(), head + body))
                        self._changed.notify_all()
        except (OSError, ValueError):
            pass
        with self._changed:
            lane.is_closed = True
            self._changed.notify_all()

    def _is_held(self, lane, frame):
        if lane.is_new and self._holds_newcomers:
            return True
        if not lane.is_request:
            return self._holds_answers
        return self._held is not None and self._held(struct.unpack(">h", frame[4:6])[0])

    def _next(self, lane):
        """The next frame that may go, once it may; None at the end."""
        with self._changed:
            while True:
                first = next((entry for entry in lane.frames
                              if not self._is_held(lane, entry[1])), None)
                if first is None:
                    if lane.is_closed:
                        return None
                    self._changed.wait()
                    continue
                early = first[0] + self._delay - time.monotonic()
                if early <= 0:
                    lane.frames.remove(first)
                    return first[1]
                self._changed.wait(early)

    def _write(self, lane):
        try:
            while (frame := self._next(lane)) is not None:
                lane.sink.sendall(frame)
        except OSError:
            pass
        for each in (lane.source, lane.sink):
            _shut(each)
            with self._changed:
                self._sockets.discard(each)


def _shut(each):
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
