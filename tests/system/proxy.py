# SPDX-License-Identifier: Apache-2.0
"""Stands between Kafka's clients and a broker and makes the network, or parts of Kafka, fail.
It knows as much of the protocol as that: frames begin with their length, requests with their key."""

import socket
import struct
import threading
import time
from collections import deque

import kafka

# Keys of requests.
PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 3, 18, 22

# Errors: after the last one librdkafka takes the batch for written.
NOT_LEADER, DUPLICATE_SEQUENCE = 6, 46


def produced(frame):
    """What a Produce request (version 7, of librdkafka 2.0) says: its number and its partition,
    (correlation id, topic, partition); None of any other request."""
    if struct.unpack(">h", frame[4:6])[0] != PRODUCE:
        return None
    version, number = struct.unpack(">hi", frame[6:12])
    assert version == 7, f"Produce v{version} has another form"
    at = 12
    for _ in ("client id", "transactional id"):
        at += 2 + max(0, struct.unpack(">h", frame[at:at + 2])[0])
    at += 2 + 4 + 4  # acks, timeout, one topic
    length = struct.unpack(">h", frame[at:at + 2])[0]
    topic = frame[at + 2:at + 2 + length]
    return number, topic, struct.unpack(">i", frame[at + 2 + length + 4:][:4])[0]


def refusal(number, topic, partition, error):
    """The answer to that request."""
    body = (struct.pack(">iih", number, 1, len(topic)) + topic
            + struct.pack(">iihqqqi", 1, partition, error, -1, -1, -1, 0))
    return struct.pack(">i", len(body)) + body


class Lane:
    """One direction of one connection: frames that came in and are to go out, in order unless
    some of them are held."""

    def __init__(self, source, sink, is_request, is_new):
        self.source = source
        self.sink = sink
        self.is_request = is_request
        self.is_new = is_new          # of a connection made while newcomers were held
        self.back = None              # the other direction
        self.frames = deque()         # (when it came, its bytes)
        self.is_closed = False


class Proxy:
    """Listens on a port of its own and passes on to 127.0.0.1:`target`."""

    def __init__(self, target):
        self.target = target
        self.port = kafka.free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self._changed = threading.Condition()
        self._delay = 0.0
        self._held = None             # a function of a request's key
        self._holds_answers = False
        self._holds_newcomers = False
        self._firsts = None           # partitions whose first batch was seen, or None
        self.refused = 0
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

    def refuse_firsts(self, error=NOT_LEADER, patience=0.5):
        """The first batch of records for each partition is refused, as by a broker that is not
        its leader yet: when the next one is on its way behind it, or when none is after
        `patience` seconds. That next one gets through."""
        self._set(_firsts={}, _patience=patience, _error=error)

    def heal(self):
        """Everything held goes on to where it was to go, and so does what comes."""
        self._set(_delay=0.0, _held=None, _holds_answers=False, _holds_newcomers=False,
                  _firsts=None)
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
            lanes = Lane(client, broker, True, is_new), Lane(broker, client, False, is_new)
            lanes[0].back, lanes[1].back = lanes[1], lanes[0]
            for lane in lanes:
                threading.Thread(target=self._read, args=(lane,), daemon=True).start()
                threading.Thread(target=self._write, args=(lane,), daemon=True).start()

    def _read(self, lane):
        try:
            with lane.source.makefile("rb") as file:
                while len(head := file.read(4)) == 4:
                    body = file.read(struct.unpack(">i", head)[0])
                    with self._changed:
                        if not (lane.is_request and self._is_refused(lane, head + body)):
                            lane.frames.append((time.monotonic(), head + body))
                        self._changed.notify_all()
        except (OSError, ValueError):
            pass
        with self._changed:
            lane.is_closed = True
            self._changed.notify_all()

    def _is_refused(self, lane, frame):
        asked = None if self._firsts is None else produced(frame)
        if asked is None:
            return False
        number, *place = asked
        if tuple(place) in self._firsts:
            self._refuse(tuple(place))
            return False
        self._firsts[tuple(place)] = lane, number
        later = threading.Timer(self._patience, self._refuse_late, [tuple(place)])
        later.daemon = True
        later.start()
        return True

    def _refuse_late(self, place):
        with self._changed:
            if self._firsts is not None:
                self._refuse(place)
            self._changed.notify_all()

    def _refuse(self, place):
        """Once for each partition."""
        first, self._firsts[place] = self._firsts[place], None
        if first is not None:
            lane, number = first
            lane.back.frames.append((time.monotonic(), refusal(number, *place, self._error)))
            self.refused += 1

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


LISTENERS = """\
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://{proxy}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


def broker_behind(folder, more="", cluster=None):
    """A broker, not started, that also listens where only its `proxy` goes."""
    seat, behind = kafka.free_ports(2), kafka.free_ports(1)[0]
    proxy = Proxy(behind)
    made = kafka.Broker(folder, seats=[seat], cluster=cluster, more=LISTENERS.format(
        port=seat[0], controller=seat[1], behind=behind, proxy=proxy.address) + more)
    made.proxy, made.controller = proxy, seat[1]
    return made


def _shut(each):
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
