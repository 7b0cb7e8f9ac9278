# SPDX-License-Identifier: Apache-2.0
"""Every bad token gets 401 and leaves nothing on any topic.

Each has one defect and is right in all else: where it can be, the wrong bytes are signed by the
right key, so that it is the defect that is refused and not the signature."""

import hashlib
import hmac
import json
import time
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import signing
from daemons import Source
from http_raw import exchange, request
from signing import HEADER, ORDER, WIDTH, Signer, b64, der, dump, raw, unb64

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def claims(**more):
    return dump({"id": "39836", "kind": "scan", "status": "done", "attemptNumber": 1,
                 "iat": int(time.time()), **more})


def header(**more):
    return dump({"typ": "JWT", "alg": "ES512", **more})


def unsigned(head: bytes, signature=b""):
    return b64(head) + b"." + b64(claims()) + b"." + b64(signature)


def hmac_by(key: bytes, alg="HS512", digest=hashlib.sha512):
    message = b64(header(alg=alg)) + b"." + b64(claims())
    return message + b"." + b64(hmac.new(key, message, digest).digest())


def signed(k, head: bytes, payload=None):
    """These header bytes, truly signed by the right key."""
    return k.good.compact(head, claims() if payload is None else payload)


def by(signer, head=HEADER, digest=hashes.SHA512, width=None):
    """Signed by another key."""
    message = b64(head) + b"." + b64(claims())
    numbers = signer.numbers(message, digest)
    return message + b"." + b64(raw(*numbers, width or (signer.private.curve.key_size + 7) // 8))


def resigned(k, change):
    """A good token whose signature went through change(r, s)."""
    message = b64(HEADER) + b"." + b64(claims())
    return message + b"." + b64(change(*k.good.numbers(message)))


def cut(k, change):
    """A good token whose signature bytes went through change(bytes)."""
    return resigned(k, lambda r, s: change(raw(r, s)))


def flipped(k, part, byte, bit, payload=None):
    parts = [bytearray(unb64(text)) for text in signed(k, HEADER, payload).split(b".")]
    parts[part][byte] ^= 1 << bit
    return b".".join(b64(bytes(part)) for part in parts)


def encoded(k, part, change):
    """Header or claims encoded wrongly, and signed as they stand."""
    parts = [b64(HEADER), b64(claims())]
    parts[part] = change(parts[part])
    return k.good.over(*parts)


def unused_bits(k, part):
    """Base64url whose last character has bits set that stand for nothing."""
    texts = [HEADER, claims()]
    while len(texts[part]) % 3 == 0:
        texts[part] = texts[part][:-1] + b" }"
    parts = [b64(text) for text in texts]
    last = ALPHABET.index(parts[part][-1:])
    parts[part] = parts[part][:-1] + ALPHABET[last | 1:][:1]
    assert unb64(parts[part]) == texts[part]
    return k.good.over(*parts)


def other_alphabet(k):
    """A good token in plain base64."""
    while True:
        token = signed(k, HEADER, claims(x=k.serial()))
        if b"-" in token and b"_" in token:
            return token.replace(b"-", b"+").replace(b"_", b"/")


def attackers(k, **more):
    """Signed by the attacker's key, which the header itself offers."""
    return by(k.other, header(**more))


def pieces(k, make):
    return make(*signed(k, HEADER).split(b"."))


def pad(head: bytes, size):
    return head[:-1] + b',"x":"' + b"x" * size + b'"}'


# name -> token bytes (sent as "Authorization: Signed <token>"), or a list of whole header lines
TOKENS = {
    # the algorithm
    "alg none, no signature": lambda k: unsigned(header(alg="none")),
    "alg none, a true signature": lambda k: signed(k, header(alg="none")),
    "alg None": lambda k: unsigned(header(alg="None")),
    "alg nOnE": lambda k: unsigned(header(alg="nOnE")),
    "alg ES512, no signature": lambda k: unsigned(HEADER),
    "alg HS512 keyed with the public PEM": lambda k: hmac_by(k.good.pem.encode()),
    "alg HS512 keyed with the PEM without its last newline":
        lambda k: hmac_by(k.good.pem.strip().encode()),
    "alg HS256 keyed with the public PEM":
        lambda k: hmac_by(k.good.pem.encode(), "HS256", hashlib.sha256),
    "alg HS512 keyed with the public JWK": lambda k: hmac_by(dump(k.good.jwk)),
    "alg HS512 keyed with nothing": lambda k: hmac_by(b""),
    "alg HS512 over an ES512 signature": lambda k: signed(k, header(alg="HS512")),
    "alg ES256 over an ES512 signature": lambda k: signed(k, header(alg="ES256")),
    "alg ES384 over an ES512 signature": lambda k: signed(k, header(alg="ES384")),
    "alg ES256K": lambda k: signed(k, header(alg="ES256K")),
    "alg RS512": lambda k: signed(k, header(alg="RS512")),
    "alg PS512": lambda k: signed(k, header(alg="PS512")),
    "alg EdDSA": lambda k: signed(k, header(alg="EdDSA")),
    "alg es512": lambda k: signed(k, header(alg="es512")),
    "alg with a space behind": lambda k: signed(k, header(alg="ES512 ")),
    "alg with a NUL behind": lambda k: signed(k, b'{"typ":"JWT","alg":"ES512\\u0000"}'),
    "alg empty": lambda k: signed(k, header(alg="")),
    "alg null": lambda k: signed(k, header(alg=None)),
    "alg a number": lambda k: signed(k, header(alg=512)),
    "alg a list": lambda k: signed(k, header(alg=["ES512"])),
    "alg missing": lambda k: signed(k, b'{"typ":"JWT"}'),
    "Alg in place of alg": lambda k: signed(k, b'{"typ":"JWT","Alg":"ES512"}'),
    "the digest is SHA-256": lambda k: by(k.good, digest=hashes.SHA256),
    "the digest is SHA-384": lambda k: by(k.good, digest=hashes.SHA384),

    # the key
    "another key of P-521": lambda k: by(k.other),
    "a key of P-256": lambda k: by(k.p256),
    "a key of P-384": lambda k: by(k.p384),
    "a key of P-256, ES256": lambda k: by(k.p256, header(alg="ES256"), hashes.SHA256),
    "a key of P-384, ES384": lambda k: by(k.p384, header(alg="ES384"), hashes.SHA384),
    "a key of P-256, numbers of 66 bytes": lambda k: by(k.p256, width=WIDTH),
    "a key of P-384, numbers of 66 bytes": lambda k: by(k.p384, width=WIDTH),
    "jwk in the header": lambda k: attackers(k, jwk=k.other.jwk),
    "jku in the header": lambda k: attackers(k, jku="http://127.0.0.1:9/jwks.json"),
    "x5u in the header": lambda k: attackers(k, x5u="http://127.0.0.1:9/cert.pem"),
    "x5c in the header": lambda k: attackers(k, x5c=["MIIB"]),
    "kid a path": lambda k: attackers(k, kid="../../../../dev/null"),
    "kid a URL": lambda k: attackers(k, kid="http://127.0.0.1:9/key"),

    # the 132 bytes
    "signature of 131 bytes, the last missing": lambda k: cut(k, lambda b: b[:-1]),
    "signature of 131 bytes, the first missing": lambda k: cut(k, lambda b: b[1:]),
    "signature of 133 bytes, a 0 before": lambda k: cut(k, lambda b: b"\0" + b),
    "signature of 133 bytes, a 0 behind": lambda k: cut(k, lambda b: b + b"\0"),
    "signature twice": lambda k: cut(k, lambda b: b + b),
    "signature of one byte": lambda k: cut(k, lambda b: b[:1]),
    "signature in DER": lambda k: resigned(k, der),
    "signature in DER, filled up to 132": lambda k: resigned(
        k, lambda r, s: der(r, s)[:132].ljust(132, b"\0")),
    "r 0": lambda k: resigned(k, lambda r, s: raw(0, s)),
    "s 0": lambda k: resigned(k, lambda r, s: raw(r, 0)),
    "r and s 0": lambda k: resigned(k, lambda r, s: raw(0, 0)),
    "r and s 1": lambda k: resigned(k, lambda r, s: raw(1, 1)),
    "r the order": lambda k: resigned(k, lambda r, s: raw(ORDER, s)),
    "s the order": lambda k: resigned(k, lambda r, s: raw(r, ORDER)),
    "r plus the order": lambda k: resigned(k, lambda r, s: raw(r + ORDER, s)),
    "s plus the order": lambda k: resigned(k, lambda r, s: raw(r, s + ORDER)),
    "all bits set": lambda k: cut(k, lambda b: b"\xff" * 132),
    "r and s exchanged": lambda k: resigned(k, lambda r, s: raw(s, r)),
    "r and s the other way round": lambda k: cut(k, lambda b: b[65::-1] + b[:65:-1]),
    "signature of other claims": lambda k: signed(k, HEADER).rpartition(b".")[0]
        + b"." + signed(k, HEADER, claims(id="1")).rpartition(b".")[2],

    # one bit
    "a bit of the header": lambda k: flipped(k, 0, 3, 5),
    "a bit of the claims": lambda k: flipped(k, 1, 8, 0),
    "the first bit of r": lambda k: flipped(k, 2, 0, 0),
    "the top bit of r": lambda k: flipped(k, 2, 0, 7),
    "the last bit of r": lambda k: flipped(k, 2, 65, 0),
    "the first bit of s": lambda k: flipped(k, 2, 66, 0),
    "the last bit of s": lambda k: flipped(k, 2, 131, 0),

    # base64url
    "padding after the header": lambda k: encoded(k, 0, lambda t: t + b"="),
    "padding after the claims": lambda k: encoded(k, 1, lambda t: t + b"=="),
    "padding after the signature": lambda k: signed(k, HEADER) + b"=",
    "unused bits in the header": lambda k: unused_bits(k, 0),
    "unused bits in the claims": lambda k: unused_bits(k, 1),
    "a space in the header": lambda k: encoded(k, 0, lambda t: t[:9] + b" " + t[9:]),
    "a space in the claims": lambda k: encoded(k, 1, lambda t: t[:9] + b" " + t[9:]),
    "a tab in the signature": lambda k: pieces(k, lambda h, c, s: h + b"." + c + b"." + s[:9]
                                               + b"\t" + s[9:]),
    "a character too many in the header": lambda k: encoded(k, 0, lambda t: t + b"A"),
    "plain base64": other_alphabet,
    "a percent-encoded dot": lambda k: signed(k, HEADER).replace(b".", b"%2E", 1),
    "a letter beyond ASCII": lambda k: encoded(k, 0, lambda t: t[:9] + "é".encode() + t[10:]),
    "a star in the claims": lambda k: encoded(k, 1, lambda t: t[:9] + b"*" + t[9:]),
    "a comma behind": lambda k: signed(k, HEADER) + b",",
    "in quotes": lambda k: b'"' + signed(k, HEADER) + b'"',

    # the header
    "crit of an unknown name": lambda k: signed(k, header(crit=["x"], x=1)),
    "crit exp": lambda k: signed(k, header(crit=["exp"], exp=9999999999)),
    "crit empty": lambda k: signed(k, header(crit=[])),
    "crit no list": lambda k: signed(k, header(crit="x")),
    "crit null": lambda k: signed(k, header(crit=None)),
    "crit b64, b64 false": lambda k: k.good.over(
        b64(header(crit=["b64"], b64=False)), claims().replace(b".", b"")),
    "crit b64, b64 true": lambda k: signed(k, header(crit=["b64"], b64=True)),
    "b64 false": lambda k: signed(k, header(b64=False)),
    "typ unknown": lambda k: signed(k, header(typ="at+jwt")),
    "typ a number": lambda k: signed(k, header(typ=1)),
    "alg twice": lambda k: signed(k, b'{"typ":"JWT","alg":"ES512","alg":"ES512"}'),
    "alg none, then ES512": lambda k: signed(k, b'{"alg":"none","typ":"JWT","alg":"ES512"}'),
    "alg twice, once escaped": lambda k: signed(k, b'{"alg":"ES512","\\u0061lg":"ES512"}'),
    "typ twice": lambda k: signed(k, b'{"typ":"JWT","alg":"ES512","typ":"JWT"}'),
    "header a list": lambda k: signed(k, b'["ES512"]'),
    "header a string": lambda k: signed(k, b'"ES512"'),
    "header null": lambda k: signed(k, b"null"),
    "header cut off": lambda k: signed(k, HEADER[:-1]),
    "header with a comma too many": lambda k: signed(k, HEADER[:-1] + b",}"),
    "header with something behind": lambda k: signed(k, HEADER + b" {}"),
    "header with a NUL behind": lambda k: signed(k, HEADER + b"\0"),
    "header with a byte order mark": lambda k: signed(k, b"\xef\xbb\xbf" + HEADER),
    "header of invalid UTF-8": lambda k: signed(k, HEADER[:-1] + b',"x":"\xff"}'),
    "header with a NUL in a string": lambda k: signed(k, HEADER[:-1] + b',"x":"\0"}'),
    "header very deep": lambda k: signed(
        k, HEADER[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),

    # the claims
    "id twice": lambda k: signed(k, HEADER, claims()[:-1] + b',"id":"1"}'),
    "iat twice": lambda k: signed(k, HEADER, claims()[:-1] + b',"iat":%d}' % time.time()),
    "status twice, once escaped": lambda k: signed(
        k, HEADER, claims()[:-1] + b',"st\\u0061tus":"failed"}'),
    "iat missing": lambda k: signed(k, HEADER, b'{"id":"39836","kind":"scan","status":"done"}'),
    "iat a string": lambda k: signed(k, HEADER, claims(iat=str(int(time.time())))),
    "iat null": lambda k: signed(k, HEADER, claims(iat=None)),
    "iat true": lambda k: signed(k, HEADER, claims(iat=True)),
    "iat a list": lambda k: signed(k, HEADER, claims(iat=[int(time.time())])),
    "iat 0": lambda k: signed(k, HEADER, claims(iat=0)),
    "iat negative": lambda k: signed(k, HEADER, claims(iat=-int(time.time()))),
    "iat 25 hours ago": lambda k: signed(k, HEADER, claims(iat=int(time.time()) - 25 * 3600)),
    "iat in 10 minutes": lambda k: signed(k, HEADER, claims(iat=int(time.time()) + 600)),
    "iat in milliseconds": lambda k: signed(k, HEADER, claims(iat=int(time.time() * 1000))),
    "iat 1e300": lambda k: signed(k, HEADER, claims(iat=1e300)),
    "exp in place of iat": lambda k: signed(
        k, HEADER, b'{"id":"1","kind":"scan","status":"done","exp":%d}' % (time.time() + 60)),

    # the dots
    "no dot": lambda k: signed(k, HEADER).replace(b".", b""),
    "one dot": lambda k: pieces(k, lambda h, c, s: h + b"." + c),
    "three dots": lambda k: signed(k, HEADER) + b".",
    "four dots": lambda k: signed(k, HEADER) + b".AA.AA",
    "a dot before": lambda k: b"." + signed(k, HEADER),
    "two dots together": lambda k: pieces(k, lambda h, c, s: h + b".." + c + b"." + s),
    "only two dots": lambda k: b"..",
    "only dots": lambda k: b"." * 8000,
    "empty header": lambda k: k.good.over(b"", b64(claims())),
    "empty claims, detached": lambda k: pieces(k, lambda h, c, s: h + b".." + s),
    "empty signature": lambda k: pieces(k, lambda h, c, s: h + b"." + c + b"."),
    "empty token": lambda k: b"",
    "the JSON serialization": lambda k: pieces(k, lambda h, c, s: dump(
        {"protected": h.decode(), "payload": c.decode(), "signature": s.decode()})),

    # the size
    "header of 20 KiB": lambda k: by(k.other, pad(HEADER, 15000)),
    "claims of 20 KiB": lambda k: flipped(k, 1, 8, 0, claims(x="x" * 15000)),
    "a signature of 20 KiB": lambda k: cut(k, lambda b: b * 116),
    "a token of 100 KiB": lambda k: signed(k, pad(HEADER, 75000)),
    "a token of 1 MiB": lambda k: b"A" * 1048576,

    # the HTTP header
    "no Authorization": lambda k: [],
    "Authorization empty": lambda k: [b"Authorization:"],
    "the scheme alone": lambda k: [b"Authorization: Signed"],
    "Bearer": lambda k: [b"Authorization: Bearer " + signed(k, HEADER)],
    "Basic": lambda k: [b"Authorization: Basic " + signed(k, HEADER)],
    "no scheme": lambda k: [b"Authorization: " + signed(k, HEADER)],
    "no space after the scheme": lambda k: [b"Authorization: Signed" + signed(k, HEADER)],
    "a tab after the scheme": lambda k: [b"Authorization: Signed\t" + signed(k, HEADER)],
    "a longer scheme": lambda k: [b"Authorization: SignedX " + signed(k, HEADER)],
    "a colon after the scheme": lambda k: [b"Authorization: Signed: " + signed(k, HEADER)],
    "Proxy-Authorization": lambda k: [b"Proxy-Authorization: Signed " + signed(k, HEADER)],
    "the token in X-Signature": lambda k: [b"X-Signature: Signed " + signed(k, HEADER)],
    "the good header twice": lambda k: [b"Authorization: Signed " + signed(k, HEADER)] * 2,
    "a good header, then a bad one": lambda k: [
        b"Authorization: Signed " + signed(k, HEADER), b"Authorization: Signed x.y.z"],
    "a bad header, then a good one": lambda k: [
        b"Authorization: Signed x.y.z", b"authorization: Signed " + signed(k, HEADER)],
    "Bearer, then a good header": lambda k: [
        b"Authorization: Bearer x", b"Authorization: Signed " + signed(k, HEADER)],
    "two tokens": lambda k: signed(k, HEADER) + b", Signed " + signed(k, HEADER),
    "text behind the token": lambda k: signed(k, HEADER) + b" x=1",
}

# Over the ceiling of the headers: 431 is as good an answer.
LONG = {"a token of 100 KiB", "a token of 1 MiB"}

# No HTTP at all: the HTTP library may say 400 or hang up before anybody looks for a token.
# (A NUL behind the token is not among them: libmicrohttpd 0.9 ends the header there, and nobody
# can see what followed. What is left of the header is a good token.)
BROKEN_HTTP = {
    "a NUL before the token": lambda k: b"\0" + signed(k, HEADER),
    "a NUL in the token": lambda k: pieces(k, lambda h, c, s: h + b".\0" + c + b"." + s),
    "a control character in the token": lambda k: pieces(
        k, lambda h, c, s: h + b".\x01" + c + b"." + s),
    "a DEL behind the token": lambda k: signed(k, HEADER) + b"\x7f",
    "a carriage return in the token": lambda k: pieces(
        k, lambda h, c, s: h + b".\r" + c + b"." + s),
    "a folded line": lambda k: pieces(k, lambda h, c, s: h + b".\r\n " + c + b"." + s),
    "a space before the colon": lambda k: [b"Authorization : Signed " + signed(k, HEADER)],
}


@pytest.fixture(scope="module")
def door(module_stack, tmp_path_factory):
    good, numbers = Signer(), iter(range(10**9))
    pem = tmp_path_factory.mktemp("key") / "good.pem"
    pem.write_text(good.pem)
    source = Source(settings={"signature": {"key_files": [str(pem)]}})
    stack = module_stack([source], {"ingress": {"bad_signatures_per_minute": 100000}})
    stack.start(enricher=False)
    keys = SimpleNamespace(good=good, other=Signer(), p256=Signer(ec.SECP256R1),
                           p384=Signer(ec.SECP384R1), serial=lambda: next(numbers))
    stack.tap.ends()
    door = SimpleNamespace(stack=stack, source=source, keys=keys, controls=0)
    control(door)
    door.ends = stack.tap.ends()
    door.controls = 0
    return door


def knock(door, credentials, body=b"{}"):
    if isinstance(credentials, bytes):
        credentials = [b"Authorization: Signed " + credentials]
    return exchange(door.stack.ingress.address(), request(door.source.path, credentials, body))


def control(door):
    """The same request with a good token: what is refused is refused for its defect."""
    answer = knock(door, signed(door.keys, HEADER))
    assert (answer.status, answer.body) == (202, b"")
    door.controls += 1


@pytest.mark.parametrize("name", TOKENS)
def test_is_refused(door, name):
    answer = knock(door, TOKENS[name](door.keys))
    assert answer is not None, "no answer"
    assert answer.status in ({401, 431} if name in LONG else {401})
    assert len(answer.body) < 200


@pytest.mark.parametrize("name", BROKEN_HTTP)
def test_is_refused_by_whoever_sees_it_first(door, name):
    answer = knock(door, BROKEN_HTTP[name](door.keys))
    assert answer is None or answer.status in {400, 401}


@pytest.mark.parametrize("where", ["body", "query", "cookie"])
def test_a_good_token_counts_in_no_other_place(door, where):
    token = signed(door.keys, HEADER).decode()
    path = door.source.path + (f"?token={token}&access_token={token}" if where == "query" else "")
    headers = [f"Cookie: Authorization=Signed {token}"] if where == "cookie" else []
    body = f"Signed {token}".encode() if where == "body" else b"{}"
    answer = exchange(door.stack.ingress.address(), request(path, headers, body))
    assert answer.status == 401


def test_there_are_enough_of_them():
    assert len(TOKENS) >= 60


def test_the_table_errs_in_nothing_else(door):
    """Without its defect a token of this table is good: by every way the table makes them."""
    for token in (signed(door.keys, HEADER), by(door.keys.good), resigned(door.keys, raw),
                  cut(door.keys, bytes), encoded(door.keys, 0, bytes),
                  encoded(door.keys, 1, bytes), pieces(door.keys, lambda *p: b".".join(p)),
                  signed(door.keys, b'{"alg":"ES512"}'), signed(door.keys, header(typ="JWT")),
                  signed(door.keys, header(kid="k1")),
                  signed(door.keys, pad(HEADER, 1000)),
                  signed(door.keys, HEADER, claims(iat=time.time() + 60)),
                  signed(door.keys, HEADER, claims(iat=int(time.time()) - 23 * 3600))):
        answer = knock(door, token)
        assert answer.status == 202, token
        door.controls += 1


def test_nothing_of_all_that_reached_a_topic(door):
    control(door)
    grown = {place: end - door.ends[place] for place, end in door.stack.tap.ends().items()
             if end != door.ends[place]}
    assert sum(grown.values()) == door.controls
    assert {topic for topic, _ in grown} == {door.stack.tap.topic("events")}
    door.stack.tap.drain()
    assert {record.value["subject"]["id"] for record in door.stack.tap.records["events"]} == {
        "39836"}


def test_the_refusals_are_counted_but_not_logged_with_their_token(door):
    text = door.stack.ingress.log.read_text()
    assert b64(HEADER).decode() not in text
    assert door.source.secret not in text
    assert door.source.secret not in door.stack.ingress.admin("/metrics").text


def test_the_vector_of_rfc_7515_is_what_it_says():
    """The vector itself, so that the test of the ingress with it means something."""
    key = signing.jwk.JWK(**signing.RFC7515_A4_KEY)
    token = signing.jws.JWS()
    token.deserialize(signing.RFC7515_A4, key)
    assert token.payload == b"Payload"
    assert json.loads(unb64(signing.RFC7515_A4.split(".")[0].encode())) == {"alg": "ES512"}
