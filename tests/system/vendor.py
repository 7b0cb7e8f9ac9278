# SPDX-License-Identifier: Apache-2.0
"""One simulated vendor: a VDR instance with key, scans, assets, exports and their files, or the
documents of a vendor that signs nothing; threaded, scripted."""

import csv
import hashlib
import io
import json
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from signing import Signer

SEVERITIES = {"critical": "critical", "medium": "medium", "warning": "low", "info": "info"}


class Csv:
    """A file of many rows, made while it is sent: the same bytes each time."""

    columns = ["address", "ip", "location", "severity", "description", "cve_number",
               "score_cvss", "report_id"]

    def __init__(self, rows, newline="\r\n", bom=False):
        self.rows = rows
        self.newline = newline
        self.bom = bom
        self._sums = None

    def fields(self, row):
        """What row `row` (from 1) says, by column."""
        description = f"finding {row}"
        if row % 7 == 0:
            description += ', "quoted",\nover two lines'
        if row % 11 == 0:
            description += " à Montréal"
        return {
            "address": f"https://www{row}.example.com/",
            "ip": f"192.0.2.{row % 256}",
            "location": "" if row % 5 else "dmz",
            "severity": list(SEVERITIES)[row % 4],
            "description": description,
            "cve_number": f"CVE-2024-{row:05}",
            "score_cvss": f"{row % 101 / 10:.1f}",
            "report_id": str(row),
        }

    def _line(self, row):
        values = self.fields(row)
        text = values["description"].replace('"', '""')
        values["description"] = f'"{text}"'
        return ",".join(values.values()) + self.newline

    def chunks(self):
        head = ("\ufeff" if self.bom else "") + ",".join(self.columns) + self.newline
        yield head.encode()
        for first in range(1, self.rows + 1, 250):
            last = min(first + 250, self.rows + 1)
            yield "".join(map(self._line, range(first, last))).encode()

    @property
    def sums(self):
        """The length and the SHA-256 of the file."""
        if self._sums is None:
            length, digest = 0, hashlib.sha256()
            for chunk in self.chunks():
                length += len(chunk)
                digest.update(chunk)
            self._sums = (length, digest.hexdigest())
        return self._sums


class Text(Csv):
    """A small file given whole; read by Python's csv module to know what it says."""

    def __init__(self, data: bytes):
        super().__init__(0)
        self.data = data
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        self.columns, *self._values = [line for line in reader if line]
        self.rows = len(self._values)

    def fields(self, row):
        return dict(zip(self.columns, self._values[row - 1]))

    def chunks(self):
        yield self.data


class Gate:
    """Lets a file through up to so many bytes, and counts what went through."""

    def __init__(self, limit=None):
        self.served = 0
        self._limit = limit
        self._cuts = 0
        self._changed = threading.Condition()

    def open_to(self, limit):
        with self._changed:
            self._limit = limit
            self._changed.notify_all()

    def cut(self):
        """Ends whoever waits here, and counts from 0 again."""
        with self._changed:
            self._cuts += 1
            self.served = 0
            self._changed.notify_all()

    def enter(self):
        return self._cuts

    def ended(self, ticket, sent):
        with self._changed:
            if self._cuts == ticket:
                self.served = sent

    def passes(self, ticket, sent):
        """Waits until more than `sent` bytes may go; false when cut."""
        with self._changed:
            if self._cuts == ticket:
                self.served = max(self.served, sent)
            self._changed.wait_for(
                lambda: self._cuts != ticket or self._limit is None or sent < self._limit, 60)
            return self._cuts == ticket


@dataclass
class Export:
    file: Csv = None
    status: str = "done"
    pending: int = 0             # so many looks find it pending first
    location: str = None         # fileLocation; by default files/<id>.csv
    sized: bool = False          # Content-Length, or else chunked
    truncate: list = field(default_factory=list)  # n-th sending ends after so many bytes
    torn: bool = False           # chunked: the chunk it ends in was announced whole
    files: list = field(default_factory=list)     # n-th sending is of this one; then `file`
    gate: Gate = field(default_factory=Gate)


@dataclass
class Reply:
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b"{}"
    delay: float = 0.0


@dataclass
class Seen:
    time: float
    path: str
    authorization: str
    status: int = 0
    traceparent: str = ""
    tracestate: str = ""
    ended: float = 0.0           # when the answer began; a file has no such time


class Vendor:
    def __init__(self, tls=None, word="Bearer"):
        self.signer = Signer()
        self.word = word             # in front of the token
        self.token = "vendor-token-" + hashlib.sha256(self.signer.pem.encode()).hexdigest()[:20]
        self.allows = lambda text: text == f"{self.word} {self.token}"
        self.key_path = "/api/webhook.key"
        self.key_body = None         # by default the signer's public key as PEM
        self.items = {}              # path, with its query -> document
        self.lists = {}              # path, without its query -> documents, oldest first
        self.exports = {}
        self.posts = {}              # path -> function(body, headers) -> Reply
        self.asked = []              # bodies of the requests for an export
        self.asked_reply = None      # by default 201 with ids from 212
        self.mood = None             # a Reply to whatever is asked of the API
        self.seen = []
        self._scripts = {}
        self._tls = tls
        self._port = 0
        self._server = None
        self.up()

    # --- what the tests say ---

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def scan(self, number, status="DONE", **more):
        path = f"/api/v2/scans/{number}"
        self.items[path] = {"id": number, "status": status,
                            "requestDate": "2020-08-27T14:00:00Z", **more}
        return path

    def website(self, number, **more):
        path = f"/api/v2/websites/{number}"
        self.items[path] = {"id": number, "url": f"https://www{number}.example.com/",
                            "hostname": f"www{number}.example.com", "isActive": True, **more}
        return path

    def server(self, number, **more):
        path = f"/api/v2/servers/{number}"
        self.items[path] = {"id": number, "hostname": f"host{number}.example.com",
                            "ip": "192.0.2.7", "osName": "Debian 12", "osFamily": "Linux",
                            "isActive": True, "highCvss": 9.8, **more}
        return path

    def export(self, number, file=None, **more):
        self.exports[number] = Export(file, **more)
        return self.exports[number]

    def script(self, path, *replies):
        """The next answers to `path`, one call each; after them the usual one."""
        self._scripts[path] = deque(replies)

    def always(self, path, reply):
        self._scripts[path] = reply

    def usual(self, path):
        self._scripts.pop(path, None)

    def pages(self, path):
        """The calls for a list, whatever their query."""
        return [seen for seen in list(self.seen) if urlsplit(seen.path).path == path]

    def calls(self, path):
        return [seen for seen in list(self.seen) if seen.path == path]

    def down(self):
        """Listens no more, and hangs up on everybody."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def up(self):
        """Starts to listen, again on the same port."""
        vendor = self

        class Handler(_Handler):
            pass

        Handler.vendor = vendor
        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        if self._tls:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *arguments):
        self.connections = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self):
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        pass  # a killed program hangs up


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    vendor: Vendor

    def log_message(self, *_):
        pass

    def send_error(self, code, *_, **__):
        self.answer(Reply(code))

    def answer(self, reply):
        self.seen.status = reply.status
        self.seen.ended = time.monotonic()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def do_GET(self):
        vendor = self.vendor
        self.seen = Seen(time.monotonic(), self.path, self.headers.get("Authorization", ""),
                         traceparent=self.headers.get("traceparent", ""),
                         tracestate=self.headers.get("tracestate", ""))
        vendor.seen.append(self.seen)
        script = vendor._scripts.get(self.path)
        if isinstance(script, deque):
            script = script.popleft() if script else None
        if script is None and self.path != vendor.key_path:
            script = vendor.mood
        if script is not None:
            if script.delay:
                threading.Event().wait(script.delay)
            return self.answer(script)
        if self.path == vendor.key_path:
            return self.answer(Reply(body=(vendor.key_body or vendor.signer.pem).encode(),
                                     headers={"Content-Type": "application/octet-stream"}))
        if not vendor.allows(self.seen.authorization):
            return self.answer(Reply(401, body=b'{"error":"unauthorized"}'))
        if self.path in vendor.items:
            return self.answer(Reply(body=json.dumps(vendor.items[self.path]).encode()))
        if urlsplit(self.path).path in vendor.lists:
            return self.answer(self.page())
        head, _, number = self.path.rpartition("/")
        if head == "/api/v2/exports" and number in vendor.exports:
            return self.answer(Reply(body=json.dumps(self.export(number)).encode()))
        if head == "/files" and number.removesuffix(".csv") in vendor.exports:
            return self.file(vendor.exports[number.removesuffix(".csv")])
        return self.answer(Reply(404, body=b'{"error":"not found"}'))

    def do_POST(self):
        """An export is asked for: what came is kept in `asked`."""
        vendor = self.vendor
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen = Seen(time.monotonic(), self.path, self.headers.get("Authorization", ""),
                         traceparent=self.headers.get("traceparent", ""),
                         tracestate=self.headers.get("tracestate", ""))
        vendor.seen.append(self.seen)
        if self.path in vendor.posts:
            return self.answer(vendor.posts[self.path](body, self.headers))
        if not vendor.allows(self.seen.authorization):
            return self.answer(Reply(401, body=b'{"error":"unauthorized"}'))
        if self.path != "/api/v2/vulnerability-groups/export":
            return self.answer(Reply(404, body=b'{"error":"not found"}'))
        vendor.asked.append(json.loads(body))
        return self.answer(vendor.asked_reply or
                           Reply(201, body=json.dumps({"id": str(211 + len(vendor.asked))}).encode()))

    def page(self):
        """One page of a list, as Probely's reference has it."""
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        page, length = (int(query.get(name, [default])[0])
                        for name, default in (("page", 1), ("length", 10)))
        items = list(self.vendor.lists[path])
        if "completed__gte" in query:
            items = [each for each in items if each["completed"] >= query["completed__gte"][0]]
        if query.get("ordering", [""])[0].startswith("-"):
            items.reverse()
        pages = max(1, -(-len(items) // length))
        if page > pages:
            return Reply(404, body=b'{"detail":"Invalid page."}')
        return Reply(body=json.dumps({
            "count": len(items), "page_total": pages, "page": page, "length": length,
            "results": items[(page - 1) * length:page * length]}).encode())

    def export(self, number):
        export = self.vendor.exports[number]
        if export.pending > 0:
            export.pending -= 1
            return {"id": number, "status": "pending", "fileLocation": None}
        if export.status != "done":
            return {"id": number, "status": export.status, "fileLocation": None}
        return {"id": number, "status": "done",
                "fileLocation": export.location or f"files/{number}.csv"}

    def file(self, export):
        ticket = export.gate.enter()
        end = export.truncate.pop(0) if export.truncate else None
        file = export.files.pop(0) if export.files else export.file
        self.seen.status = 200
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        if export.sized:
            self.send_header("Content-Length", str(file.sums[0]))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        for chunk in file.chunks():
            if not export.gate.passes(ticket, sent):
                return
            whole = len(chunk)
            if end is not None:
                chunk = chunk[: end - sent]
            if export.torn and len(chunk) < whole:
                self.wfile.write(b"%x\r\n%b" % (whole, chunk))
            elif chunk:
                self.wfile.write(chunk if export.sized else b"%x\r\n%b\r\n" % (len(chunk), chunk))
            sent += len(chunk)
            if sent == end:
                return
        if not export.sized:
            self.wfile.write(b"0\r\n\r\n")
        export.gate.ended(ticket, sent)


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
