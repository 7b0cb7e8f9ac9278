# SPDX-License-Identifier: Apache-2.0
"""`vulnbus send`: webhooks as the vendors document them, to a real ingress and to a recorder."""

import base64
import json
import re
import secrets
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwcrypto import jwk

import certificates
from certificates import Authority
from daemons import BUILD, Source, run
from signing import Signer
from vendor import Vendor, tls_context
from waiting import until

APP_SECRET = "app-secret-0123456789"
# Every kind that a vendor documents (events reference; "Using VDR Webhooks"; the webhook guide).
KINDS = {
    "acme-vdr": ["scan.completed", "scan.failed", "export.completed"],
    "acme-delve": ["scan.completed", "scan.failed", "export.completed"],
    "ssc": ["scorecard.changed"],
    "web": ["scan.completed", "scan.started", "scan.failed", "scan.canceled", "finding.detected",
            "finding.fixed", "target.created", "target.deleted", "target.verified",
            "target.verification_failed", "user.created", "user.deleted"],
}


def private_pem(signer, form=serialization.PrivateFormat.PKCS8,
                lock=serialization.NoEncryption()):
    return signer.private.private_bytes(serialization.Encoding.PEM, form, lock)


@pytest.fixture(scope="module")
def shop(module_stack, tmp_path_factory):
    made = module_stack(
        [Source("acme-vdr"), Source("acme-delve", "delve"),
         Source("ssc", "securityscorecard", Vendor(word="Token"),
                settings={"hook": {"app_secret": APP_SECRET}}),
         Source("web", "probely", Vendor(word="JWT"))],
        {"topics": {"partitions": 1}})
    made.start(enricher=False)
    made.keys = {}
    for source in made.sources[:2]:
        path = made.folder / f"{source.name}.key"
        path.write_bytes(private_pem(source.stub.signer))
        made.keys[source.name] = ["--key", path]
    return made


def send(shop, *arguments, code=0, url=None, **more):
    done = run("vulnbus", "-c", shop.config, "send", "--url", url or shop.ingress.url(),
               *arguments, **more)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    if "--show-url" not in arguments:
        for source in shop.sources:
            assert source.secret not in done.stdout + done.stderr
    assert APP_SECRET not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize("name, kind", [(n, kind) for n in KINDS for kind in KINDS[n]])
def test_each_documented_kind_becomes_its_event(shop, name, kind):
    done = send(shop, *shop.keys.get(name, []), "--kind", kind, name)
    found = re.fullmatch(rf"{name}: 202 \(taken\) in (\d+\.\d) ms: (\S+) \({kind}\)\n", done.stdout)
    assert found and not done.stderr
    record = shop.tap.one("events", id=found[2]).value
    assert (record["kind"], record["source"]) == (kind, name)
    assert record["proof"] == {"ssc": "app-secret", "web": "secret-path"}.get(name, "jws-es512")
    assert abs(record["occurred_ms"] - time.time() * 1000) < 60_000
    assert not shop.tap.find("dead-letters")


@pytest.mark.parametrize("name", KINDS)
def test_the_list_names_all_kinds(shop, name):
    lines = run("vulnbus", "-c", shop.config, "send", "--list", name).stdout.splitlines()
    assert [line.split()[0] for line in lines] == KINDS[name]


def test_what_is_asked_for_is_what_is_sent(shop):
    number = str(secrets.randbits(40))
    send(shop, *shop.keys["acme-vdr"], "--id", number, "--attempt", "3", "--status", "failed",
         "--kind", "scan.failed", "--set", "asset=77", "--set", "asset_type=server",
         "--set", "ad_hoc=false", "acme-vdr")
    value = shop.tap.one("events", id=f"acme-vdr:scan:{number}:3:failed").value
    assert (value["attempt"], value["subject"]["id"]) == (3, number)
    assert value["attributes"] == {"status": "failed", "asset_id": "77", "asset_type": "server",
                                   "is_ad_hoc": False}
    done = send(shop, "--id", "other.example", "--set", "trigger=grade_drop", "ssc")
    value = shop.tap.one("events", id=re.search(r"ssc:\S+(?= \()", done.stdout)[0]).value
    assert value["subject"]["id"] == "other.example"
    assert value["attributes"]["trigger_type"] == "grade_drop"
    odd = 'a"b{id}\\é'
    done = send(shop, "--id", "7", "--set", f"target={odd}", "--kind", "finding.fixed", "web")
    value = shop.tap.one("events", id=re.search(r"web:\S+(?= \()", done.stdout)[0]).value
    assert value["attributes"]["target_id"] == odd and value["attributes"]["finding_id"] == "7"


def test_a_body_of_ones_own(shop, tmp_path):
    mine = {"id": str(secrets.randbits(40)), "kind": "scan", "status": "done"}
    path = tmp_path / "body.json"
    path.write_text(json.dumps(mine) + "\n")
    send(shop, *shop.keys["acme-vdr"], "--body", path, "acme-vdr")
    assert shop.tap.one("events", id=f"acme-vdr:scan:{mine['id']}:0:done")
    # Its own time of signing stays; its places are filled in; standard input will do.
    stamp = int(time.time()) - 100
    done = send(shop, *shop.keys["acme-vdr"], "--body", "-", "acme-vdr",
                input=f'{{"id":{{id}},"kind":"scan","status":{{status="done"}},"iat":{stamp}}}')
    name = re.search(r"acme-vdr:scan:\d+:0:done", done.stdout)[0]
    assert shop.tap.one("events", id=name).value["occurred_ms"] == stamp * 1000
    # What an ingress refuses is sent all the same.
    for name in ("acme-vdr", "web"):
        refused = send(shop, *shop.keys.get(name, []), "--body", "-", name, input="no JSON", code=1)
        assert f"{name}: 400 (" in refused.stdout


def test_keys_of_every_form(shop, tmp_path):
    signer = shop.sources[0].stub.signer
    form, plain = serialization.PrivateFormat, serialization.NoEncryption()
    whole = jwk.JWK.from_pem(private_pem(signer)).export_private()
    good = {"PKCS 8": private_pem(signer), "SEC 1": private_pem(signer, form.TraditionalOpenSSL),
            "JWK": whole.encode(), "JWK with more": json.dumps(
                {"kid": "1", "use": "sig", **json.loads(whole)}).encode()}
    other = json.loads(jwk.JWK.from_pem(private_pem(Signer())).export_private())
    bad = {"a public key": signer.pem.encode(), "P-256": private_pem(Signer(ec.SECP256R1)),
           "locked": private_pem(signer, lock=serialization.BestAvailableEncryption(b"x")),
           "a public JWK": json.dumps(signer.jwk).encode(), "nothing": b"", "noise": b"\0\xff",
           "halves that do not fit": json.dumps({**json.loads(whole), "d": other["d"]}).encode(),
           "a JWK of P-256": jwk.JWK.generate(kty="EC", crv="P-256").export_private().encode(),
           "a short d": json.dumps({**json.loads(whole), "d": "AQAB"}).encode()}
    path = tmp_path / "key"
    for name, data in good.items():
        path.write_bytes(data)
        assert "202" in send(shop, "--key", path, "acme-vdr").stdout, name
    for name, data in bad.items():
        path.write_bytes(data)
        done = send(shop, "--key", path, "acme-vdr", code=65)
        assert str(path) in done.stderr and not done.stdout, name
    assert send(shop, "--key", tmp_path / "none", "acme-vdr", code=66).stderr
    assert send(shop, "--key", path, "web", code=64).stderr


def test_a_key_for_one_call(shop, tmp_path):
    """Not known to the ingress: 401. What is printed is the key that signed."""
    recorder = Recorder()
    try:
        done = send(shop, "acme-vdr", url=recorder.url)
        pem = done.stdout[:done.stdout.index("acme-vdr:")]
        recorder.check_signed(pem)
        public = tmp_path / "public.pem"
        done = send(shop, "--public-key", public, "acme-vdr", url=recorder.url)
        assert done.stdout.startswith("acme-vdr: 202")
        assert recorder.check_signed(public.read_text())
        with pytest.raises(jwt.InvalidSignatureError):
            recorder.check_signed(pem)
    finally:
        recorder.close()
    refused = send(shop, "acme-vdr", code=1)
    assert "acme-vdr: 401 (" in refused.stdout and "key_files" in refused.stdout
    # The way of the help: the public half among signature.key_files.
    key = tmp_path / "mine.key"
    key.write_bytes(private_pem(Signer()))
    made = shop.folder / "made.pem"
    send(shop, "--key", key, "--public-key", made, "acme-vdr", code=1)
    source = shop.sources[0]
    source.settings = {"signature": {"key_files": [str(made)]}}
    shop.write()
    shop.ingress.hang_up()
    until(lambda: run("vulnbus", "-c", shop.config, "send", "--url", shop.ingress.url(), "--key",
                      key, "acme-vdr").returncode == 0, "the key is known", 10)
    source.settings = {}
    shop.write()
    shop.ingress.hang_up()
    until(lambda: run("vulnbus", "-c", shop.config, "send", "--url", shop.ingress.url(),
                      *shop.keys["acme-vdr"], "acme-vdr").returncode == 0, "the vendor's is", 10)


# --- to a recorder ---

class Recorder:
    """An ingress that answers what it is told, and remembers what it was sent."""

    def __init__(self, codes=(202,), tls=None, gate=None):
        self.codes, self.seen, self.gate = list(codes), [], gate
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None      # a handshake that is refused
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http{'s' if tls else ''}://localhost:{self.server.server_port}"

    def handler(recorder):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with recorder.lock:
                    at = len(recorder.seen)
                    recorder.seen.append((time.monotonic(), self.path, self.headers, body))
                    recorder.now += 1
                    recorder.most = max(recorder.most, recorder.now)
                if recorder.gate:
                    recorder.gate(at, recorder)
                code = recorder.codes[at % len(recorder.codes)]
                with recorder.lock:
                    recorder.now -= 1
                if code is None:
                    self.close_connection = True
                    return
                data = f"cannot POST {self.path}".encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
        return Handler

    def check_signed(self, pem, at=-1):
        scheme, token = self.seen[at][2]["Authorization"].split(" ")
        assert scheme == "Signed"
        return jwt.decode(token, pem, algorithms=["ES512"])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def recorder():
    made = []

    def make(*arguments, **more):
        made.append(Recorder(*arguments, **more))
        return made[-1]
    yield make
    for each in made:
        each.close()


def test_the_request_is_the_documented_one(shop, recorder):
    """"Using VDR Webhooks": claims are the body and iat, and X-Signature has an apostrophe."""
    server = recorder()
    send(shop, *shop.keys["acme-vdr"], "--id", "39836", "acme-vdr", url=server.url + "/")
    _, path, headers, body = server.seen[0]
    assert path == shop.sources[0].path
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Signature"] == "'ES512 /api/webhook.key"
    assert json.loads(body) == {
        "assetId": "1", "assetType": "site", "attemptNumber": 1, "id": "39836", "isAdHoc": True,
        "kind": "scan", "status": "done"}
    claims = server.check_signed(shop.sources[0].stub.signer.pem)
    assert abs(claims.pop("iat") - time.time()) < 60 and claims == json.loads(body)
    token = headers["Authorization"].split(" ")[1]
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "ES512"}
    assert len(base64.urlsafe_b64decode(token.split(".")[2])) == 132
    send(shop, "ssc", url=server.url)
    _, path, headers, body = server.seen[1]
    assert path == shop.sources[2].path and headers["x-ssc-app-secrets"] == APP_SECRET
    assert headers["Authorization"] is None and json.loads(body)["trigger"]["type"] == "new_issues"
    send(shop, "web", url=server.url)
    assert server.seen[2][2]["x-ssc-app-secrets"] is None


def test_secrets_are_printed_when_asked_for(shop, recorder):
    server = recorder([500])
    source = shop.sources[3]
    assert f"{server.url}{source.path}\n" in send(shop, "--show-url", "web", url=server.url,
                                                  code=1).stdout
    shown = send(shop, "web", url=server.url, code=1)      # the answer holds the URL
    assert shown.stdout.startswith("web: 500 (")
    dry = send(shop, "--dry-run", *shop.keys["acme-vdr"], "--id", "5", "acme-vdr", url=server.url)
    url, claims = dry.stdout.splitlines()
    assert url == f"{server.url}/hooks/acme-vdr/********"
    assert json.loads(claims)["id"] == "5" and "iat" in json.loads(claims)
    assert len(server.seen) == 2
    assert "https://hooks.example.com/hooks/web/********" in run(
        "vulnbus", "-c", shop.config, "send", "--dry-run", "web").stdout


@pytest.mark.parametrize("name", ["acme-vdr", "ssc", "web"])
@pytest.mark.parametrize("more", [[], ["--id", "39836"], ["--id", "x"]], ids=str)
def test_many_have_ids_of_their_own(shop, name, more):
    shop.tap.drain()
    before = len(shop.tap.find("events", source=name))
    done = send(shop, *shop.keys.get(name, []), *more, "--count", "50", "--set",
                {"acme-vdr": "asset=9", "ssc": "severity=low", "web": "target=t"}[name], name)
    found = re.fullmatch(
        rf"{name}: 50 webhooks in \d+\.\d\d s \(\d+\.\d a second\), 8 at once\n"
        r"  202        50\n"
        r"  p50 (\d+\.\d) ms  p90 (\d+\.\d) ms  p99 (\d+\.\d) ms  max (\d+\.\d) ms\n", done.stdout)
    assert found, done.stdout
    times = [float(text) for text in found.groups()]
    assert times == sorted(times)
    until(lambda: shop.tap.drain() or len(shop.tap.find("events", source=name)) >= before + 50,
          "all are there")
    made = [record.value["id"] for record in shop.tap.find("events", source=name)[before:]]
    assert len(made) == len(set(made)) == 50


def test_percentiles_and_counts_are_right(shop, recorder):
    """Ten requests, one at a time, of which the n-th is held for n units of time."""
    unit = 0.06

    def hold(at, _):
        until(lambda start=time.monotonic(): time.monotonic() - start >= (at + 1) * unit, "held",
              10, 0.002)
    server = recorder([202] * 6 + [503] * 3 + [404], gate=hold)
    done = send(shop, "--count", "10", "--concurrency", "1", "web", url=server.url, code=1)
    assert "  202        6\n  404        1\n  503        3\n" in done.stdout
    times = [float(ms) / 1000 for ms in re.findall(r"(\d+\.\d) ms", done.stdout)]
    for seconds, rank in zip(times, (5, 9, 10, 10), strict=True):
        assert rank * unit <= seconds < (rank + 0.95) * unit, (times, rank)
    assert server.most == 1


def test_concurrency_and_rate_are_kept(shop, recorder):
    full = threading.Event()

    def all_at_once(at, server):
        if server.now >= 5:
            full.set()
        assert full.wait(10)
    server = recorder(gate=all_at_once)
    send(shop, "--count", "20", "--concurrency", "5", "web", url=server.url)
    assert server.most == 5 and len(server.seen) == 20
    server = recorder()
    began = time.monotonic()
    send(shop, "--count", "21", "--rate", "20", "web", url=server.url)
    assert time.monotonic() - began >= 1
    starts = [when - server.seen[0][0] for when, *_ in server.seen]
    assert len(starts) == 21 and 0.9 <= starts[-1] < 3
    assert all(start >= number / 20 - 0.06 for number, start in enumerate(starts)), starts


def test_no_answer_is_69(shop, recorder):
    done = send(shop, "web", url="http://127.0.0.1:9", code=69)
    assert "no answer" in done.stderr and not done.stdout
    done = send(shop, "--count", "5", "web", url="http://127.0.0.1:9", code=69)
    assert "no answer  5 (" in done.stdout and "p50" not in done.stdout
    # A connection that was open is tried again, on a new one.
    server = recorder([202, None, None])
    done = send(shop, "--count", "10", "--concurrency", "1", "web", url=server.url, code=69)
    assert "  202        5\n  no answer  5 (" in done.stdout


def test_other_answers_are_1(shop, recorder):
    for code in (200, 204, 301, 400, 500, 503):
        assert f"web: {code} (" in send(shop, "web", url=recorder([code]).url, code=1).stdout


def test_a_signal_ends_it_with_what_was_seen(shop, recorder):
    full = threading.Event()
    server = recorder(gate=lambda at, _: at < 5 or full.wait(30))
    process = subprocess.Popen(
        [BUILD / "vulnbus", "-c", shop.config, "send", "--url", server.url, "--count", "1000",
         "--concurrency", "2", "web"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: len(server.seen) == 7, "two wait")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        full.set()
        process.kill()
    assert process.returncode == 75 and "  202        5\n" in out and "7 webhooks" in out, (out, err)


def test_an_ingress_with_tls(shop, recorder, tmp_path):
    authority = Authority(tmp_path, "root")
    server = recorder(tls=tls_context(*authority.issue(
        "server", host="localhost", purpose=certificates.SERVER)))
    send(shop, "--ca-file", authority.file, "web", url=server.url)
    assert "certificate" in send(shop, "web", url=server.url, code=69).stderr


def test_wrong_calls(shop, tmp_path):
    for arguments in ([], ["a", "b"], ["--kind", "scan.done", "acme-vdr"], ["--count", "0", "web"],
                      ["--rate", "-1", "web"], ["--concurrency", "501", "web"],
                      ["--status", "x", "ssc"], ["--attempt", "1", "web"], ["--set", "x", "web"],
                      ["--set", "=x", "web"], ["--set", "nothing=x", "web"],
                      ["--kind", "scan.failed", "--body", "/dev/null", "acme-vdr"],
                      ["--no-such", "web"]):
        assert send(shop, *arguments, code=64).stderr
    assert send(shop, "nobody", code=78).stderr
    for value in ("attempt=x", "ad_hoc=perhaps", "attempt=1.5"):
        assert value.split("=")[0] in send(shop, *shop.keys["acme-vdr"], "--set", value, "acme-vdr",
                                           code=65).stderr
    assert send(shop, "--body", tmp_path / "none", "web", code=66).stderr
    assert send(shop, "web", url="ftp://example.com", code=64).stderr
