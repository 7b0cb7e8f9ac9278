# SPDX-License-Identifier: Apache-2.0
"""Where the ingress has its keys from, and what happens when the vendor changes them."""

import datetime
import ipaddress
import json
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemons import Source
from signing import Signer
from vendor import Reply, Vendor, tls_context
from waiting import until

SCAN = {"id": "39836", "kind": "scan", "status": "done"}
KEY = "/api/webhook.key"


def call(stack, source, signer, **headers):
    token = signer.token({**SCAN, "iat": int(time.time())})
    return stack.post(source, token, **headers).status_code


def ingress(stack, source, **settings):
    return stack([source], {"ingress": {"bad_signatures_per_minute": 10000, **settings}}).start(
        enricher=False)


# --- fetched from the vendor ---

def test_a_key_rotated_at_the_vendor_is_picked_up_by_the_next_webhook(stack):
    source = Source()
    made = ingress(stack, source)
    old = source.stub.signer
    assert call(made, source, old) == 202
    new = source.stub.signer = Signer()
    assert call(made, source, new) == 202
    assert call(made, source, old) == 202   # on its way while the key changed
    assert len(source.stub.calls(KEY)) == 2


def test_the_requests_that_meet_a_rotation_together_are_all_accepted(stack):
    source = Source()
    made = ingress(stack, source)
    new = source.stub.signer = Signer()
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(call(made, source, new)))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert codes == [202] * 12
    assert len(source.stub.calls(KEY)) == 2


def test_a_storm_of_bad_signatures_makes_one_fetch(stack):
    source = Source()
    made = ingress(stack, source)
    assert len(source.stub.calls(KEY)) == 1
    stranger = Signer()
    assert [call(made, source, stranger) for _ in range(60)] == [401] * 60
    assert len(source.stub.calls(KEY)) == 2   # one at the start, one for the storm
    assert call(made, source, source.stub.signer) == 202


def test_an_old_key_ends_with_the_overlap(stack):
    source = Source(settings={"signature": {"overlap": "1s", "refetch_every": "1s"}})
    made = ingress(stack, source)
    old = source.stub.signer
    new = source.stub.signer = Signer()
    assert call(made, source, new) == 202
    until(lambda: call(made, source, old) == 401, "the old key is refused", 15, 0.2)
    assert call(made, source, new) == 202


def test_a_rotation_after_a_rotation_is_picked_up_too(stack):
    source = Source(settings={"signature": {"refetch_every": "1s"}})
    made = ingress(stack, source)
    for _ in range(3):
        signer = source.stub.signer = Signer()
        until(lambda: call(made, source, signer) == 202, "the new key is taken", 15, 0.2)


@pytest.mark.parametrize("form", ["pem", "jwk", "jwks"])
def test_the_vendor_may_serve_its_key_in_any_usual_form(stack, form):
    source = Source(settings={"signature": {"key_path": "/keys/hook.pem"}})
    source.stub.key_path = "/keys/hook.pem"
    signer = source.stub.signer
    source.stub.key_body = {
        "pem": signer.pem, "jwk": json.dumps(signer.jwk),
        "jwks": json.dumps({"keys": [{**Signer().jwk, "kid": "a"}, {**signer.jwk, "kid": "b"}]}),
    }[form]
    made = ingress(stack, source)
    assert call(made, source, signer) == 202


@pytest.mark.parametrize("body", [
    "", "<html>maintenance</html>", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    Signer(ec.SECP256R1).pem, json.dumps({"kty": "oct", "k": "AAAA"}), "x" * 5_000_000],
    ids=["empty", "html", "broken", "p256", "secret", "huge"])
def test_a_vendor_that_serves_nonsense_does_not_take_the_good_key_away(stack, body):
    source = Source()
    made = ingress(stack, source)
    made.expect_errors("key")
    source.stub.key_body = body
    assert call(made, source, Signer()) == 401
    assert len(source.stub.calls(KEY)) == 2
    assert call(made, source, source.stub.signer) == 202


def test_a_vendor_that_does_not_answer_holds_nobody_up(stack):
    source = Source()
    made = ingress(stack, source, answer_within="2s")
    made.expect_errors("key")
    source.stub.always(KEY, Reply(delay=20))
    began = time.monotonic()
    assert call(made, source, Signer()) in (401, 503)
    assert time.monotonic() - began < 2.5
    began = time.monotonic()
    assert call(made, source, source.stub.signer) == 202
    assert time.monotonic() - began < 2.5


def test_a_key_location_in_the_request_is_never_followed(stack):
    source, attacker = Source(), Vendor()
    made = ingress(stack, source)
    for location in (attacker.url + KEY, f"//127.0.0.1:{attacker.url.rpartition(':')[2]}{KEY}"):
        assert call(made, source, attacker.signer,
                    **{"X-Signature": f"'ES512 {location}"}) == 401
    assert attacker.seen == []
    attacker.down()


def test_x_signature_is_never_a_reason_to_refuse(stack):
    source = Source()
    made = ingress(stack, source)
    for value in ("'ES512 /api/webhook.key", "ES512 /api/webhook.key", "'ES512 /elsewhere.key",
                  "none", "'"):
        assert call(made, source, source.stub.signer, **{"X-Signature": value}) == 202


def test_the_last_good_key_survives_a_restart_without_the_vendor(stack):
    source = Source()
    made = ingress(stack, source)
    assert call(made, source, source.stub.signer) == 202
    made.ingress.stop()
    source.stub.down()
    made.expect_errors("key")
    made.ingress.start(ready=False)
    until(lambda: call(made, source, source.stub.signer) == 202, "the kept key is used", 10)
    assert call(made, source, Signer()) in (401, 503)


def test_a_damaged_kept_key_does_not_stop_the_start(stack):
    source = Source()
    made = ingress(stack, source)
    made.ingress.stop()
    kept = [path for path in (made.folder / "state").rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        path.write_bytes(b"\0garbage")
    made.expect_errors("key")
    made.ingress.start()
    assert call(made, source, source.stub.signer) == 202


def move(stack, source):
    """The source's configuration names another vendor from now on; the former one is returned."""
    former, source.stub = source.stub, Vendor()
    stack.write_token(source, source.stub.token)
    stack.write()
    return former


def test_a_kept_key_counts_only_for_the_address_it_came_from(stack):
    source = Source()
    made = ingress(stack, source)
    made.ingress.stop()
    kept = list((made.folder / "state").glob(f"{source.name}-*.keys.pem"))
    assert len(kept) == 1
    former = move(made, source)
    source.stub.always(KEY, Reply(500))
    made.ingress.start(ready=False)
    assert call(made, source, former.signer) == 503   # no key of this vendor is known
    assert not made.ingress.ready()
    source.stub.usual(KEY)
    until(lambda: call(made, source, source.stub.signer) == 202, "its own key is taken", 15, 0.2)
    assert call(made, source, former.signer) == 401
    assert len(list((made.folder / "state").glob(f"{source.name}-*.keys.pem"))) == 2
    former.down()


def test_after_a_move_and_sighup_the_former_vendor_is_neither_believed_nor_asked(stack):
    source = Source(settings={"signature": {"refetch_every": "1s"}})
    made = ingress(stack, source)
    former = move(made, source)
    made.ingress.hang_up()
    until(lambda: call(made, source, source.stub.signer) == 202, "the new vendor is believed", 15,
          0.2)
    asked = len(former.calls(KEY))
    for _ in range(4):
        assert call(made, source, former.signer) == 401
        time.sleep(0.5)
    assert len(former.calls(KEY)) == asked
    former.down()


def tasks(stack):
    return len(list(Path(f"/proc/{stack.ingress.process.pid}/task").iterdir()))


def test_a_replaced_configuration_ends_with_its_threads(stack):
    source = Source()
    made = ingress(stack, source)
    before = tasks(made)
    for n in range(20):   # more than may be in use at once
        made.ingress.hang_up()
        until(lambda: sum(line["message"] == "configuration reloaded"
                          for line in made.ingress.lines()) == n + 1, "reloaded", 10)
        assert call(made, source, source.stub.signer) == 202
    until(lambda: tasks(made) <= before, "the threads have ended", 10)


def test_a_key_from_another_host_is_not_taken(stack):
    source, attacker = Source(), Vendor()
    source.stub.always(KEY, Reply(302, {"Location": attacker.url + KEY}))
    made = stack([source])
    made.expect_errors("key")
    made.ingress.start(ready=False)
    until(lambda: any("another host" in json.dumps(line) for line in made.ingress.lines()),
          "refused", 10)
    assert call(made, source, attacker.signer) == 503
    attacker.down()


def test_a_vendor_that_is_gone_is_not_asked_on_and_on_while_a_key_is_known(stack):
    source = Source()
    made = ingress(stack, source)
    made.expect_errors("key")
    source.stub.always(KEY, Reply(500))
    assert call(made, source, Signer()) == 401
    time.sleep(4)
    assert len(source.stub.calls(KEY)) == 2
    assert call(made, source, source.stub.signer) == 202


# --- over HTTPS ---

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority of our own, and a server at 127.0.0.1 with its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name, issuer, key, by, extensions):
        builder = (x509.CertificateBuilder()
                   .subject_name(name).issuer_name(issuer).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=1)))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(by, hashes.SHA256())

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate(name("test authority"), name("test authority"), ca_key, ca_key, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)])
    leaf = certificate(name("127.0.0.1"), name("test authority"), key, ca_key, [
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)])
    pem = serialization.Encoding.PEM
    (folder / "ca.crt").write_bytes(ca.public_bytes(pem))
    (folder / "tls.crt").write_bytes(leaf.public_bytes(pem))
    (folder / "tls.key").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder


def test_the_key_and_the_api_come_over_https_from_an_authority_of_ones_own(stack, authority):
    stub = Vendor(tls_context(authority / "tls.crt", authority / "tls.key"))
    source = Source(stub=stub, settings={"ca_file": str(authority / "ca.crt")})
    made = stack([source]).start()
    stub.scan("39836")
    name = made.notify(source, **SCAN)
    made.tap.one("scans", event_id=name)


def test_a_server_of_an_unknown_authority_is_not_believed(stack, authority):
    stub = Vendor(tls_context(authority / "tls.crt", authority / "tls.key"))
    source = Source(stub=stub)
    made = stack([source])
    made.expect_errors("key|certificate")
    made.ingress.start(ready=False)
    assert call(made, source, stub.signer) == 503
    assert stub.seen == []


# --- from files ---

@pytest.mark.parametrize("form", ["pem", "jwk", "jwks", "all"])
def test_keys_come_from_files_and_nothing_is_fetched(stack, tmp_path, form):
    source, signers = Source(), [Signer() for _ in range(4)]
    pem, jwk, jwks = (tmp_path / f"key.{ending}" for ending in ("pem", "jwk", "json"))
    pem.write_text(signers[0].pem)
    jwk.write_text(json.dumps(signers[1].jwk))
    jwks.write_text(json.dumps({"keys": [{**signer.jwk, "kid": str(n)}
                                         for n, signer in enumerate(signers[2:])]}))
    files, good = {"pem": ([pem], signers[:1]), "jwk": ([jwk], signers[1:2]),
                   "jwks": ([jwks], signers[2:]), "all": ([pem, jwk, jwks], signers)}[form]
    source.settings = {"signature": {"key_files": list(map(str, files))}}
    made = ingress(stack, source)
    for signer in signers:
        assert call(made, source, signer) == (202 if signer in good else 401)
    assert call(made, source, source.stub.signer) == 401
    assert source.stub.calls(KEY) == []


def test_a_changed_key_file_counts_after_sighup(stack, tmp_path):
    source, new = Source(), Signer()
    pem = tmp_path / "key.pem"
    pem.write_text(source.stub.signer.pem)
    source.settings = {"signature": {"key_files": [str(pem)]}}
    made = ingress(stack, source)
    assert call(made, source, new) == 401
    pem.write_text(new.pem)
    made.ingress.hang_up()
    until(lambda: call(made, source, new) == 202, "the new key is taken", 5)
