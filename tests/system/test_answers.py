# SPDX-License-Identifier: Apache-2.0
"""The table of answers, and HTTP as vendors, proxies and the impolite speak it."""

import json
import subprocess
import time

import pytest

from daemons import Source
from http_raw import Connection, exchange, request
from signing import HEADER, RFC7515_A4, RFC7515_A4_KEY, Signer, b64, dump
from waiting import until

KIB = 1024


@pytest.fixture(scope="module")
def door(module_stack, tmp_path_factory):
    """An ingress with two sources; the first also takes the key of RFC 7515 A.4."""
    folder = tmp_path_factory.mktemp("keys")
    sources = []
    for name in ("acme-vdr", "other-vdr"):
        source = Source(name)
        pem, jwk = folder / f"{name}.pem", folder / f"{name}.jwk"
        pem.write_text(source.stub.signer.pem)
        jwk.write_text(json.dumps(RFC7515_A4_KEY))
        source.settings = {"signature": {"key_files": [str(pem), str(jwk)]}}
        sources.append(source)
    stack = module_stack(sources, {"ingress": {"bad_signatures_per_minute": 10000,
                                               "max_body": "64KiB", "idle_timeout": "2s"}})
    stack.start(enricher=False)
    stack.source = sources[0]
    return stack


def authorization(door, **claims):
    token = door.source.token(**{"id": "1", "kind": "scan", "status": "done", **claims})
    return f"Authorization: Signed {token}"


def ask(door, path=None, headers=None, body=b"{}", **more):
    if headers is None:
        headers = [authorization(door)]
    return exchange(door.ingress.address(), request(path or door.source.path, headers, body,
                                                    **more))


def lines(answer):
    return {name: value for name, value in answer.headers.items() if name != "date"}


# --- who may knock ---

def test_a_good_request_is_answered_202_with_nothing_in_it(door):
    answer = ask(door)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (202, b"", "0")


def test_an_unknown_source_and_a_wrong_secret_get_the_same_404(door):
    secret = door.source.secret
    answers = [ask(door, path) for path in (
        f"/hooks/nobody/{secret}", f"/hooks/{door.source.name}/{'0' * len(secret)}",
        f"/hooks/{door.source.name}/{secret[:-1]}", f"/hooks/{door.source.name}/{secret}0",
        f"/hooks/{door.source.name}/", f"/hooks/{door.sources[1].name}/{secret}")]
    assert [answer.status for answer in answers] == [404] * len(answers)
    assert all(answer.body == answers[0].body for answer in answers)
    assert all(lines(answer) == lines(answers[0]) for answer in answers)


@pytest.mark.parametrize("path", ["/", "/hooks", "/hooks/acme-vdr", "/metrics", "/readyz",
                                  "/healthz", "/connectors", "/favicon.ico", "/..", "/%00"])
def test_nothing_else_is_on_the_public_port(door, path):
    for method in ("GET", "POST"):
        assert ask(door, path, method=method).status == 404


def test_what_follows_the_secret_is_another_path(door):
    assert ask(door, door.source.path + "/").status == 404
    assert ask(door, door.source.path + "/x").status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_hook_takes_only_post(door, method):
    answer = ask(door, method=method, body=b"")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


def test_the_connector_document_is_only_read(door):
    answer = ask(door, f"/connectors/{door.source.name}/{door.source.secret}/delve.json")
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]


def test_a_wrong_method_without_the_secret_is_404(door):
    assert ask(door, "/hooks/acme-vdr/0000000000000000", method="GET").status == 404


# --- ceilings ---

def test_a_body_announced_too_large_is_refused_before_it_comes(door):
    answer = ask(door, headers=[authorization(door), f"Content-Length: {64 * KIB + 1}"], body=b"")
    assert answer.status == 413


def test_a_body_of_just_the_ceiling_is_taken(door):
    assert ask(door, body=b" " * 64 * KIB).status == 202


def test_a_chunked_body_over_the_ceiling_is_refused(door):
    with Connection(door.ingress.address()) as connection:
        connection.send(request(door.source.path,
                                [authorization(door), "Transfer-Encoding: chunked"]))
        for _ in range(9):
            connection.send(b"2000\r\n" + b"x" * 8 * KIB + b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert connection.answer().status == 413


def test_a_chunked_body_under_the_ceiling_is_taken(door):
    body = b"5\r\n12345\r\n3;ext=1\r\nabc\r\n0\r\n\r\n"
    answer = ask(door, headers=[authorization(door), "Transfer-Encoding: chunked"], body=body)
    assert answer.status == 202


def test_headers_over_their_ceiling_are_refused(door):
    answer = ask(door, headers=[authorization(door), "X-Long: " + "x" * 40 * KIB])
    assert answer.status == 431


@pytest.mark.parametrize("count", [1, 20])
def test_headers_under_their_ceiling_are_taken(door, count):
    long = [f"X-Long-{number}: {'x' * (30 * KIB // count)}" for number in range(count)]
    assert ask(door, headers=[authorization(door), *long]).status == 202


def test_very_many_headers_are_refused(door):
    many = [f"X-Header-{number}: {'x' * 20}" for number in range(2000)]
    assert ask(door, headers=[authorization(door), *many]).status == 431


@pytest.mark.parametrize("header", [
    "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: multipart/form-data; boundary=x", "Content-Encoding: gzip",
    "Content-Encoding: br", "Content-Type:"])
def test_the_type_of_an_ignored_body_does_not_matter(door, header):
    answer = ask(door, headers=[authorization(door), header], body=b"\x1f\x8b\x08\x00junk")
    assert answer.status == 202


# --- proved, and then ---

def test_the_signature_of_rfc_7515_is_right_and_its_payload_no_json(door):
    answer = ask(door, headers=[f"Authorization: Signed {RFC7515_A4}"])
    assert answer.status == 400


def test_the_signature_of_rfc_7515_with_one_bit_changed_is_wrong(door):
    head, _, last = RFC7515_A4.rpartition(".")
    changed = f"{head}.{'B' if last[0] == 'A' else 'A'}{last[1:]}"
    assert ask(door, headers=[f"Authorization: Signed {changed}"]).status == 401


@pytest.mark.parametrize("payload", [
    b"", b"Payload", b"{", b'{"id":"1","kind":"scan","status":"done","iat":%d} x',
    b'{"id":"1","kind":"scan","status":"done","iat":%d}{}', b'{"id":\'1\',"iat":%d}',
], ids=["empty", "text", "cut", "text-behind", "twice", "quotes"])
def test_proved_but_no_json_is_400(door, payload):
    if b"%d" in payload:
        payload %= time.time()
    token = door.source.stub.signer.over(b64(HEADER), b64(payload)).decode()
    expected = {400} if payload else {400, 401}   # no bytes at all are no token either
    assert ask(door, headers=[f"Authorization: Signed {token}"]).status in expected


def test_a_number_beyond_64_bits_is_refused(door):
    """Proved, outside the window, and no JSON for many readers: 400 or 401 is a matter of taste."""
    token = door.source.token(id="1", kind="scan", status="done", iat=2**64 + int(time.time()))
    assert door.post(door.source, token).status_code in (400, 401)


@pytest.mark.parametrize("claims", [
    {}, {"id": "1"}, {"id": "1", "kind": "scan"}, {"id": "1", "status": "done"},
    {"kind": "scan", "status": "done"}], ids=lambda claims: "+".join(claims) or "nothing")
def test_proved_but_less_than_the_minimum_is_400(door, claims):
    assert door.post(door.source, door.source.token(**claims)).status_code == 400


@pytest.mark.parametrize("kind, status", [
    ("report", "done"), ("scan", "paused"), ("export", "paused")])
def test_a_kind_or_status_nobody_knows_is_not_lost(door, kind, status):
    number = f"unknown-{kind}-{status}"
    answer = door.post(door.source, door.source.token(
        id=number, kind=kind, status=status, assetId="1", gossip="not to be passed on"))
    assert answer.status_code == 202
    name = f"{door.source.name}:{kind}:{number}:0:{status}"
    record = door.tap.one("dead-letters", event_id=name)
    value = record.value
    assert (value["source"], value["vendor"]) == (door.source.name, "taegis-vdr")
    assert value["stage"] == "normalise"
    assert value["reason"]
    assert "gossip" not in json.dumps(value) and "passed on" not in json.dumps(value)
    assert not any(name.startswith("vulnbus-origin") for name in record.headers)
    door.tap.drain()
    assert not door.tap.find("events", id=name)


def test_answers_tell_nothing_of_the_inside(door):
    bad = "Authorization: Signed x.y.z"
    for answer in (ask(door, headers=[bad]), ask(door, "/hooks/a/b"), ask(door, method="GET")):
        text = (answer.body + json.dumps(answer.headers).encode()).lower()
        assert len(answer.body) < 200
        for word in (b"microhttpd", b"openssl", b"kafka", b"/tmp", door.source.secret.encode()):
            assert word not in text


# --- HTTP ---

def test_expect_100_continue_is_obeyed(door):
    with Connection(door.ingress.address()) as connection:
        connection.send(request(door.source.path, [authorization(door), "Content-Length: 2",
                                                   "Expect: 100-continue"]))
        assert connection.answer().status == 100
        connection.send(b"{}")
        assert connection.answer().status == 202


def test_a_body_too_large_is_not_asked_for(door):
    answer = ask(door, headers=[authorization(door), "Content-Length: 1000000",
                                "Expect: 100-continue"], body=b"")
    assert answer.status == 413


def test_http_1_0_is_answered_and_closed(door):
    with Connection(door.ingress.address()) as connection:
        connection.send(request(door.source.path, [authorization(door)], b"{}",
                                version="HTTP/1.0"))
        assert connection.answer().status == 202
        assert connection.ended()


def test_one_connection_serves_many_requests(door):
    with Connection(door.ingress.address()) as connection:
        for number in range(20):
            good = number % 3 != 1
            connection.send(request(door.source.path, [authorization(door)] if good else
                                    ["Authorization: Signed a.b.c"], b"{}"))
            assert connection.answer().status == (202 if good else 401)


def test_pipelined_requests_are_answered_in_their_order(door):
    """Whatever is suspended, answers keep the order of the requests."""
    good = [request(door.source.path, [authorization(door, id=str(number))], b"{}")
            for number in range(4)]
    bad = request(door.source.path, ["Authorization: Signed a.b.c"], b"{}")
    with Connection(door.ingress.address()) as connection:
        connection.send(good[0] + bad + good[1] + good[2] + bad + good[3])
        assert [connection.answer().status for _ in range(6)] == [202, 401, 202, 202, 401, 202]


def test_a_request_that_comes_letter_by_letter_is_taken(door):
    data = request(door.source.path, [authorization(door)], b'{"a":1}')
    with Connection(door.ingress.address()) as connection:
        for start in range(0, len(data), 7):
            connection.send(data[start:start + 7])
        assert connection.answer().status == 202


def test_half_a_request_does_not_hold_its_connection_for_long(door):
    whole = request(door.source.path, [authorization(door)], b"{}")
    with Connection(door.ingress.address()) as connection:
        connection.send(whole[:60])
        answer = connection.answer()
        assert answer is None or answer.status == 408


def test_a_client_that_leaves_early_harms_nobody(door):
    for _ in range(20):
        with Connection(door.ingress.address()) as connection:
            connection.send(request(door.source.path, [authorization(door)], b"{}"))
    assert ask(door).status == 202


def test_curl_is_served(door, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"x" * 2000)
    made = subprocess.run(
        ["curl", "-sS", "-o", "-", "-w", "%{http_code}", "--data-binary", f"@{body}",
         "-H", authorization(door), "-H", "Expect: 100-continue",
         door.ingress.url() + door.source.path], capture_output=True, text=True, timeout=30)
    assert (made.stdout, made.stderr) == ("202", "")


@pytest.mark.parametrize("data", [
    b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n",
    b"POST /hooks HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /hooks HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", b"\0" * 99],
    ids=["blank", "tls", "no-version", "http-9", "negative-length", "huge-length", "zeros"])
def test_what_is_no_http_does_not_hurt(door, data):
    with Connection(door.ingress.address()) as connection:
        connection.send(data)
        answer = connection.answer()
        assert answer is None or 400 <= answer.status < 600
    assert ask(door).status == 202


# --- the admin port ---

def test_the_admin_port_has_health_readiness_and_metrics(door):
    assert door.ingress.admin("/healthz").status_code == 200
    assert door.ingress.admin("/readyz").status_code == 200
    answer = door.ingress.admin("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "# TYPE " in answer.text
    assert door.ingress.metric("vulnbus_build_info") == 1
    assert door.ingress.admin("/nothing").status_code == 404
    assert exchange(door.ingress.address("admin"),
                    request(door.source.path, [authorization(door)])).status in (404, 405)


# --- slower answers, each with an ingress of its own ---

def two_peers(stack, **ingress):
    """Sources with an ingress that suffers five bad signatures a minute from each peer."""
    sources = [Source("acme-vdr"), Source("other-vdr")]
    made = stack(sources, {"ingress": {"bad_signatures_per_minute": 5, **ingress}})
    return made.start(enricher=False), *sources


def bad(stack, source, **headers):
    return stack.post(source, Signer().token({"id": "1", "iat": int(time.time())}), **headers)


def test_too_many_bad_signatures_get_429_for_this_source_only(stack):
    made, source, other = two_peers(stack)
    answers = [bad(made, source) for _ in range(8)]
    codes = [answer.status_code for answer in answers]
    assert codes[:5] == [401] * 5
    assert codes[6:] == [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    made.notify(other, id="1", kind="scan", status="done")


def test_good_signatures_are_not_counted(stack):
    made, source, _ = two_peers(stack)
    for number in range(20):
        made.notify(source, id=str(number), kind="scan", status="done")


def test_a_trusted_proxy_speaks_for_its_clients(stack):
    made, source, _ = two_peers(stack, trusted_proxies=["127.0.0.0/8"])
    for _ in range(8):
        last = bad(made, source, **{"X-Forwarded-For": "192.0.2.1"})
    assert last.status_code == 429
    assert bad(made, source, **{"X-Forwarded-For": "192.0.2.2"}).status_code == 401


def test_an_untrusted_proxy_does_not(stack):
    made, source, _ = two_peers(stack)
    codes = [bad(made, source, **{"X-Forwarded-For": f"192.0.2.{n}"}).status_code
             for n in range(8)]
    assert codes[-1] == 429


def test_without_a_key_yet_the_answer_is_503(stack):
    source, other = Source("no-key"), Source("with-key")
    made = stack([source, other])
    source.stub.down()
    made.expect_errors("key")
    made.ingress.start(ready=False)
    answer = made.post(source, source.token(id="1", kind="scan", status="done"))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    until(lambda: made.post(other, other.token(id="1", kind="scan", status="done")).status_code
          == 202, "the other source has its key")


def test_more_connections_than_allowed_are_turned_away_and_those_open_go_on(stack):
    source = Source()
    made = stack([source], {"ingress": {"max_connections": 20}}).start(enricher=False)
    token = source.token(id="1", kind="scan", status="done")
    data = request(source.path, [f"Authorization: Signed {token}"], b"{}")
    with Connection(made.ingress.address()) as first:
        first.send(data)
        assert first.answer().status == 202
        crowd = [Connection(made.ingress.address()) for _ in range(60)]
        first.send(data)
        assert first.answer().status == 202
    for connection in crowd:
        connection.file.close()
        connection.socket.close()
    until(lambda: (answer := exchange(made.ingress.address(), data)) and answer.status == 202,
          "there is room again")


def test_a_stranger_sees_no_difference_in_the_claims(door):
    """A stranger's token is refused before its claims are looked at."""
    answers = [ask(door, headers=["Authorization: Signed " + Signer().compact(
        HEADER, payload).decode()]) for payload in (dump({"iat": int(time.time())}), b"text")]
    assert [answer.status for answer in answers] == [401, 401]
    assert answers[0].body == answers[1].body
