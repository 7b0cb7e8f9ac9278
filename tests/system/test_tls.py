# SPDX-License-Identifier: Apache-2.0
"""TLS on the public port, and clients told apart by their certificates."""

import json
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
from cryptography.x509.oid import NameOID

from certificates import CLIENT, DAY, SERVER, Authority, named, of_rdns, subject_of
from daemons import Source, Stack, run
from http_raw import Connection, exchange, request
from waiting import until

HOST = "hooks.example.com"
SUBJECT = of_rdns(
    [(NameOID.COUNTRY_NAME, "DE")],
    [(NameOID.ORGANIZATION_NAME, "Example, Söhne + \"Co\" <Hooks>; a=b\\c")],
    [(NameOID.ORGANIZATIONAL_UNIT_NAME, "#1 "), (NameOID.USER_ID, "u7")],
    [(NameOID.EMAIL_ADDRESS, "hooks@example.com")],
    [(NameOID.JURISDICTION_LOCALITY_NAME, " Köln")],
    [(NameOID.COMMON_NAME, "vendor.example.com")])


class Secure(Connection):
    """A TLS connection, its certificates checked as browsers do."""

    def __init__(self, address, context):
        self.socket = context.wrap_socket(
            socket.create_connection(address, 15), server_hostname=HOST)
        self.file = self.socket.makefile("rb")

    def served(self):
        return self.socket.getpeercert(binary_form=True)

    def tell(self, source, document, path=None):
        self.send(request(path or source.path, ["Content-Type: application/json"],
                          json.dumps(document).encode()))
        return self.answer()


class Place:
    """A stack whose public port speaks TLS, and who may speak to it."""

    def __init__(self, make, folder, clients=True, **ingress):
        folder.mkdir(parents=True)
        self.folder = folder
        self.root = Authority(folder, "root")
        self.between = Authority(folder, "between", above=self.root)
        self.client_ca = Authority(folder, "clients")
        self.client_between = Authority(folder, "clients-between", above=self.client_ca)
        self.serve("first")
        self.client = self.client_between.issue("client", SUBJECT, purpose=CLIENT)
        self.open = Source("open", "securityscorecard")
        self.picky = Source("picky", "securityscorecard")
        tls = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
        if clients:
            (folder / "client-ca.crt").write_bytes(self.client_ca.file.read_bytes())
            tls["client_ca"] = str(folder / "client-ca.crt")
            self.picky.settings = {"hook": {"client_subject": subject_of(self.client[0])}}
        self.stack = make([self.open, self.picky], {"ingress": {"tls": tls, **ingress}})
        self.tap = self.stack.tap
        self.ingress = self.stack.ingress

    def start(self):
        self.stack.start(enricher=False)
        return self

    def serve(self, stem):
        """The certificate of that name goes where the ingress looks for one."""
        self.put(*self.between.issue(stem, host=HOST, purpose=SERVER))

    def put(self, certificate, key):
        shutil.copy(certificate, self.folder / "tls.crt")
        shutil.copy(key, self.folder / "tls.key")

    def context(self, client=None):
        context = ssl.create_default_context(cafile=self.root.file)
        if client is not None:
            context.load_cert_chain(*client)
        return context

    def connect(self, client=None):
        return Secure(self.ingress.address(), self.context(client))

    def told(self, source, client=None):
        """(the answer's code, the event's id)"""
        document = webhook()
        with self.connect(client) as connection:
            return connection.tell(source, document).status, event_of(source, document)

    def reload(self, success=True):
        start = self.ingress.log.stat().st_size
        word = "configuration reloaded" if success else "configuration not reloaded"
        self.ingress.hang_up()
        line, = until(lambda: [line for line in self.ingress.lines(start)
                               if line["message"].startswith(word)], word)
        assert self.ingress.metric("vulnbus_config_last_reload_successful") == int(success)
        return line

    def unexpected(self):
        return self.ingress.metric("vulnbus_unexpected_peers_total", source="picky")


def webhook():
    return {"trigger": {"type": "new_issues", "issues": {}}, "domain": "example.com",
            "created_at": "2022-08-10T19:49:46.029Z", "execution_id": secrets.token_hex(16),
            "scorecard_id": "8e21f4aa-ee49-5f6d-be70-366b95ecc586"}


def event_of(source, document):
    return f"{source.name}:{document['execution_id']}"


@pytest.fixture(scope="module")
def place(module_stack, tmp_path_factory):
    return Place(module_stack, tmp_path_factory.mktemp("tls") / "files",
                 idle_timeout="2s").start()


@pytest.fixture
def own_place(stack, tmp_path):
    """Its files are below the stack's folder: in the sandbox they can be named later, too."""
    return Place(stack, tmp_path / "0" / "files").start()


# --- the port ---

def test_curl_delivers_over_tls(place):
    document = webhook()
    host, port = place.ingress.address()
    said = subprocess.run(
        ["curl", "-sS", "-w", "%{http_code}", "--cacert", place.root.file,
         "--resolve", f"{HOST}:{port}:{host}", "-H", "Content-Type: application/json",
         "-d", json.dumps(document), f"https://{HOST}:{port}{place.open.path}"],
        capture_output=True, text=True, timeout=30)
    assert (said.returncode, said.stdout, said.stderr) == (0, "202", "")
    place.tap.one("events", id=event_of(place.open, document))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=lambda version: version.name)
def test_tls_1_2_and_1_3_are_spoken(place, version):
    document = webhook()
    context = place.context(place.client)
    context.minimum_version = context.maximum_version = version
    with Secure(place.ingress.address(), context) as connection:
        assert connection.socket.version() == version.name.replace("_", ".")
        assert connection.tell(place.picky, document).status == 202
    place.tap.one("events", id=event_of(place.picky, document))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1],
                         ids=lambda version: version.name)
def test_older_tls_is_refused(place, version):
    context = place.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError):
        Secure(place.ingress.address(), context)
    # It was the version, nothing else.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Secure(place.ingress.address(), context) as connection:
        assert connection.socket.version() == "TLSv1.2"


def test_plain_http_gets_no_webhook_through(place):
    document = webhook()
    answer = exchange(place.ingress.address(), request(
        place.open.path, ["Content-Type: application/json"], json.dumps(document).encode()))
    assert answer is None
    place.tap.drain()
    assert not place.tap.find("events", id=event_of(place.open, document))


def test_the_admin_port_stays_plain(place):
    assert place.ingress.admin("/healthz").status_code == 200


def test_many_requests_on_one_connection_are_kept_apart(place):
    documents = [webhook() for _ in range(30)]
    with place.connect(place.client) as connection:
        connection.send(b"".join(
            request(source.path, ["Content-Type: application/json"],
                    json.dumps(document).encode())
            for document in documents for source in (place.open, place.picky)))
        assert [connection.answer().status for _ in range(60)] == [202] * 60
    for document in documents:
        place.tap.one("events", id=event_of(place.open, document))
        place.tap.one("events", id=event_of(place.picky, document))


def test_a_large_body_comes_whole_and_a_larger_one_is_413(place):
    document = webhook()
    body = json.dumps(document).encode()
    with place.connect() as connection:
        connection.send(request(place.open.path, ["Content-Type: application/json"],
                                body + b" " * ((1 << 20) - len(body))))
        assert connection.answer().status == 202
        connection.send(request(place.open.path, [f"Content-Length: {(1 << 20) + 1}"]))
        assert connection.answer().status == 413
    place.tap.one("events", id=event_of(place.open, document))


def test_half_handshakes_and_noise_disturb_nobody(place):
    address = place.ingress.address()
    hello = client_hello()
    bad = []
    for data in (b"", hello[:7], hello, b"\x16\x03\x01\x40\x00", b"\0" * 600, b"GET / HTTP/1.1\r\n"):
        for _ in range(20):
            bad.append(socket.create_connection(address, 15))
            bad[-1].sendall(data)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert place.told(place.open)[0] == 202
    # idle_timeout is for them too
    for each in bad:
        each.settimeout(10)
        try:
            while each.recv(4096):
                pass
        except ConnectionResetError:
            pass
        each.close()


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    return outgoing.read()


# --- who may call ---

def test_the_subject_is_what_openssl_prints(place):
    text = subject_of(place.client[0])
    assert text.startswith("CN=vendor.example.com,")
    assert text.endswith(",C=DE")
    assert "\\," in text and "emailAddress=" in text and "UID=u7" in text
    code, name = place.told(place.picky, place.client)
    assert code == 202
    place.tap.one("events", id=name)


def test_a_source_without_a_subject_takes_anyone_on_the_same_port(place):
    stranger = Authority(place.folder, "open-stranger").issue("anyone", purpose=CLIENT)
    for client in (None, place.client, stranger):
        code, name = place.told(place.open, client)
        assert code == 202
        place.tap.one("events", id=name)


def stranger_of(place, kind):
    ca, foreign = place.client_between, Authority(place.folder, f"foreign-{kind}")
    if kind == "none":
        return None
    if kind == "another subject":
        return ca.issue(kind, named("vendor.example.com"), purpose=CLIENT)
    if kind == "rdns in another order":
        return ca.issue(kind, of_rdns(*([(each.oid, each.value) for each in rdn]
                                        for rdn in reversed(SUBJECT.rdns))), purpose=CLIENT)
    if kind == "expired":
        return ca.issue(kind, SUBJECT, purpose=CLIENT, since=-2 * DAY, until=-DAY / 24)
    if kind == "not yet valid":
        return ca.issue(kind, SUBJECT, purpose=CLIENT, since=DAY / 24)
    if kind == "for servers only":
        return ca.issue(kind, SUBJECT, purpose=SERVER)
    if kind == "foreign authority":
        return foreign.issue(kind, SUBJECT, purpose=CLIENT)
    if kind == "authority of the same name":
        (place.folder / "twin").mkdir()
        return Authority(place.folder / "twin", "clients").issue(kind, SUBJECT, purpose=CLIENT)
    if kind == "no authority between":
        certificate, key = ca.issue(kind, SUBJECT, purpose=CLIENT)
        text = certificate.read_bytes()
        certificate.write_bytes(text[:text.index(b"-----BEGIN", 1)])
        return certificate, key
    if kind == "signed by a client":
        return Authority.posing_as(*place.client, ca).issue(kind, SUBJECT, purpose=CLIENT)
    raise KeyError(kind)


@pytest.mark.parametrize("kind", [
    "none", "another subject", "rdns in another order", "expired", "not yet valid",
    "for servers only", "foreign authority", "authority of the same name",
    "no authority between", "signed by a client"])
def test_whoever_is_not_expected_is_told_what_a_stranger_is_told(place, kind):
    client, document = stranger_of(place, kind), webhook()
    before = place.unexpected()
    answers = []
    for path in (place.picky.path, place.picky.path + "x"):
        with place.connect(client) as connection:
            # For a source that asks for nothing the connection is good.
            assert connection.tell(place.open, webhook()).status == 202
            answers.append(connection.tell(place.picky, document, path))
            answers[-1].headers.pop("date", None)
    assert answers[0].status == 404
    assert answers[0] == answers[1]
    assert place.unexpected() == before + 1
    place.tap.drain()
    assert not place.tap.find("events", id=event_of(place.picky, document))


def test_a_certificate_is_held_to_its_end_on_an_open_connection(place):
    lasting = (DAY / 86400) * 5
    client = place.client_between.issue("soon over", SUBJECT, purpose=CLIENT, until=lasting)
    with place.connect(client) as connection:
        assert connection.tell(place.picky, webhook()).status == 202
        until(lambda: connection.tell(place.picky, webhook()).status == 404,
              "the certificate is over", 15)


def test_what_a_signing_source_serves_is_for_the_expected_too(stack, tmp_path):
    made = Place(stack, tmp_path / "files")
    vdr = Source("acme-vdr", settings=made.picky.settings)
    made.stack.sources.append(vdr)
    made.stack.write()
    made.start()
    claims = {"id": "1", "kind": "scan", "status": "done"}
    for client, hook, document in ((made.client, 202, 200), (None, 404, 404)):
        for code, data in (
                (hook, request(vdr.path, [f"Authorization: Signed {vdr.token(**claims)}"])),
                (document, request(f"/connectors/{vdr.name}/{vdr.secret}/delve.json",
                                   method="GET"))):
            with made.connect(client) as connection:
                connection.send(data)
                assert connection.answer().status == code


# --- SIGHUP ---

def test_a_new_certificate_is_for_new_connections(own_place):
    place = own_place
    with place.connect(place.client) as old:
        first = old.served()
        assert old.tell(place.picky, webhook()).status == 202
        place.serve("second")
        with place.connect() as connection:
            assert connection.served() == first     # not before SIGHUP
        place.reload()
        with place.connect(place.client) as new:
            assert new.served() != first
            assert new.tell(place.picky, webhook()).status == 202
        assert old.tell(place.picky, webhook()).status == 202
        assert old.served() == first


def test_a_new_client_authority_is_for_new_connections(own_place):
    place = own_place
    fresh = Authority(place.folder, "fresh")
    with place.connect(place.client) as old:
        assert old.tell(place.picky, webhook()).status == 202
        (place.folder / "client-ca.crt").write_bytes(fresh.file.read_bytes())
        place.reload()
        assert old.tell(place.picky, webhook()).status == 202
    assert place.told(place.picky, place.client)[0] == 404
    assert place.told(place.picky, fresh.issue("fresh client", SUBJECT))[0] == 202


@pytest.mark.parametrize("name, content, complaint", [
    ("tls.crt", b"", "ingress.tls.certificate: "),
    ("tls.crt", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
     "ingress.tls.certificate: "),
    ("tls.crt", None, "ingress.tls.certificate: "),
    ("tls.key", b"not a key", "ingress.tls.key: "),
    ("tls.key", None, "ingress.tls.key: "),
    ("tls.key", "another", "do not match"),
    ("client-ca.crt", b"", "ingress.tls.client_ca: "),
    ("client-ca.crt", None, "ingress.tls.client_ca: "),
])
def test_a_broken_file_leaves_all_as_it_was(own_place, name, content, complaint):
    place = own_place
    file = place.folder / name
    good = file.read_bytes()
    with place.connect() as connection:
        first = connection.served()
    if content == "another":
        content = place.root.issue("another")[1].read_bytes()
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    said = place.reload(success=False)["error.message"]
    assert complaint in said
    assert said.startswith(f"{place.stack.config}:")
    with place.connect(place.client) as connection:
        assert connection.served() == first
        assert connection.tell(place.picky, webhook()).status == 202
    file.write_bytes(good)
    place.reload()


def test_reloads_under_way_fail_no_handshake(own_place):
    place, over, codes = own_place, threading.Event(), []

    def call():
        while not over.is_set():
            codes.append(place.told(place.picky, place.client)[0])

    callers = [threading.Thread(target=call) for _ in range(4)]
    for each in callers:
        each.start()
    try:
        number = 0
        while number < 10 or len(codes) <= 10:
            place.serve(f"number-{number}")
            place.reload()
            number += 1
    finally:
        over.set()
        for each in callers:
            each.join()
    assert set(codes) == {202}


def test_whether_there_is_tls_is_settled_at_start(own_place):
    place = own_place
    tls = place.stack.settings["ingress"].pop("tls")
    place.picky.settings = {}
    place.stack.write()
    place.reload()
    assert place.told(place.open)[0] == 202
    assert any("change at a restart" in line["message"] for line in place.ingress.lines())
    place.ingress.stop()
    place.ingress.start()
    assert requests.post(place.ingress.url() + place.open.path, json=webhook(),
                         timeout=10).status_code == 202
    place.stack.settings["ingress"]["tls"] = tls
    place.picky.settings = {"hook": {"client_subject": subject_of(place.client[0])}}
    place.stack.write()
    place.reload()
    for source, code in ((place.open, 202), (place.picky, 404)):
        assert requests.post(place.ingress.url() + source.path, json=webhook(),
                             timeout=10).status_code == code


# --- the configuration ---

@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checked")
    Authority(folder, "ca").issue("one")
    Authority(folder, "other-ca").issue("other")
    (folder / "empty").touch()
    return folder


def at(config, key):
    """line:column of a key, as editors count."""
    for number, line in enumerate(config.read_text().splitlines(), 1):
        if line.strip().removeprefix("- ").startswith(f"{key}:"):
            return f"{number}:{line.index(key) + 1}"
    raise KeyError(key)


@pytest.mark.parametrize("tls, place_of, complaint", [
    ({"certificate": "one.crt"}, "tls", "ingress.tls.key: is missing"),
    ({"key": "one.key"}, "tls", "ingress.tls.certificate: is missing"),
    ({"client_ca": "ca.crt"}, "tls", "ingress.tls.certificate: is missing"),
    ({"certificate": "none.crt", "key": "one.key"}, "certificate", "No such file"),
    ({"certificate": "one.crt", "key": "none.key"}, "key", "No such file"),
    ({"certificate": "one.crt", "key": "one.key", "client_ca": "none.crt"}, "client_ca",
     "No such file"),
    ({"certificate": ".", "key": "one.key"}, "certificate", "ingress.tls.certificate: "),
    ({"certificate": "empty", "key": "one.key"}, "certificate", "ingress.tls.certificate: "),
    ({"certificate": "one.key", "key": "one.key"}, "certificate", "ingress.tls.certificate: "),
    ({"certificate": "one.crt", "key": "empty"}, "key", "ingress.tls.key: "),
    ({"certificate": "one.crt", "key": "one.crt"}, "key", "ingress.tls.key: "),
    ({"certificate": "one.crt", "key": "other.key"}, "key", "do not match"),
    ({"certificate": "one.crt", "key": "one.key", "client_ca": "one.key"}, "client_ca",
     "ingress.tls.client_ca: "),
])
@pytest.mark.parametrize("program", ["vulnbus-ingress", "vulnbus"])
def test_files_that_do_not_fit_are_named(broker, tmp_path, files, program, tls, place_of,
                                         complaint):
    made = Stack(broker, tmp_path, [Source()], {"ingress": {
        "tls": {key: str(files / name) for key, name in tls.items()}}})
    checked = check(program, made.config)
    assert (checked.returncode, checked.stdout) == (78, "")
    assert checked.stderr.startswith(f"{made.config}:{at(made.config, place_of)}: ingress.tls.")
    assert complaint in checked.stderr
    assert "PRIVATE" not in checked.stderr


def check(program, config):
    return run(program, *(["check-config"] if program == "vulnbus" else ["--check-config"]),
               "-c", config)


@pytest.mark.parametrize("subject, complaint", [
    ("CN=vendor.example.com", "needs ingress.tls.client_ca"),
    ("subject=CN=vendor.example.com", "not a subject"),
    ("CN = vendor.example.com, O = Example", "not a subject"),
    ("/O=Example/CN=vendor.example.com", "not a subject"),
    ("vendor.example.com", "not a subject"),
])
def test_a_subject_that_nobody_can_have_is_refused(broker, tmp_path, files, subject, complaint):
    made = Stack(broker, tmp_path, [Source(settings={"hook": {"client_subject": subject}})], {
        "ingress": {"tls": {"certificate": str(files / "one.crt"),
                            "key": str(files / "one.key")}}})
    checked = check("vulnbus-ingress", made.config)
    assert checked.returncode == 78
    line = at(made.config, "client_subject").partition(":")[0]
    assert checked.stderr.startswith(f"{made.config}:{line}:")
    assert complaint in checked.stderr


def test_files_that_fit_pass(broker, tmp_path, files):
    made = Stack(broker, tmp_path, [Source(settings={"hook": {"client_subject": "CN=x,O=y"}})], {
        "ingress": {"tls": {"certificate": str(files / "one.crt"),
                            "key": str(files / "one.key"), "client_ca": str(files / "ca.crt")}}})
    for program in ("vulnbus-ingress", "vulnbus-enricher", "vulnbus"):
        checked = check(program, made.config)
        assert (checked.returncode, checked.stderr) == (0, "")
