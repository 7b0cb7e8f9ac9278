# SPDX-License-Identifier: Apache-2.0
"""What the vendor's API is shown in place of a token: an ES512 JWT of our own making."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daemons import Source, Stack, run
from signing import Signer
from waiting import until

CLAIMS = {"issuer": "aXNzdWVy", "cid": "Y2lk"}


def private_pem(signer, form=serialization.PrivateFormat.PKCS8):
    return signer.private.private_bytes(serialization.Encoding.PEM, form,
                                        serialization.NoEncryption()).decode()


def checked(signer, seen):
    """An API that verifies with PyJWT and the public key it was sent."""
    def allows(text):
        word, _, token = text.partition(" ")
        try:
            claims = jwt.decode(token, signer.pem, algorithms=["ES512"],
                                options={"require": ["iat", "exp"]})
        except jwt.InvalidTokenError as error:
            seen.append(error)
            return False
        seen.append(claims)
        return word == "Bearer"
    return allows


@pytest.fixture
def site(stack, tmp_path):
    key = tmp_path / "api.pem"
    source = Source(settings={"api": {"token": None}, "api_jwt": {
        "key_file": str(key), "claims": CLAIMS, "lifetime": "2m"}})
    made = stack([source])
    made.source, made.key, made.signer, made.seen = source, key, Signer(), []
    key.write_text(private_pem(made.signer))
    source.stub.allows = checked(made.signer, made.seen)
    return made


def scan(site, number):
    site.source.stub.scan(number)
    return site.notify(site.source, id=number, kind="scan", status="done")


def test_the_api_is_shown_a_jwt_that_it_can_verify(site):
    site.start()
    site.tap.one("scans", event_id=scan(site, "1"))
    claims = site.seen[-1]
    assert {name: claims[name] for name in CLAIMS} == CLAIMS
    assert claims["exp"] - claims["iat"] == 120 and abs(claims["iat"] - time.time()) < 10
    token = site.source.stub.calls("/api/v2/scans/1")[0].authorization.removeprefix("Bearer ")
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "ES512"}


def test_a_revoked_key_pauses_the_source_until_its_file_changes(site):
    site.enricher.expect_errors("401|token|authori")
    other = Signer()
    site.source.stub.allows = checked(other, site.seen)
    site.start()
    assert site.enricher.metric("vulnbus_source_authorised", source="acme-vdr") == 1
    name = scan(site, "1")
    until(lambda: [seen for seen in site.source.stub.seen if seen.status == 401], "a 401")
    until(lambda: b"refuses the token" in site.enricher.log.read_bytes(), "it is said")
    assert site.enricher.metric("vulnbus_source_authorised", source="acme-vdr") == 0
    new = site.key.with_suffix(".new")
    new.write_text(private_pem(other, serialization.PrivateFormat.TraditionalOpenSSL))
    new.rename(site.key)
    site.tap.one("scans", 20, event_id=name)
    assert site.enricher.metric("vulnbus_source_authorised", source="acme-vdr") == 1


@pytest.mark.parametrize("content", ["", "no key at all", None, "public", "P-256"])
def test_a_slip_in_the_file_makes_nobody_a_dead_letter(site, content):
    site.enricher.expect_errors()
    texts = {"public": site.signer.pem, "P-256": private_pem(Signer(ec.SECP256R1))}
    site.start()
    if content is None:
        site.key.unlink()
    else:
        site.key.write_text(texts.get(content, content))
    name = scan(site, "1")
    until(lambda: site.enricher.metric("vulnbus_events_waiting") == 1, "it waits")
    site.key.write_text(private_pem(site.signer))
    site.tap.one("scans", 20, event_id=name)
    site.tap.drain()
    assert not site.tap.records["dead-letters"]


def test_a_token_and_a_key_are_one_too_many(broker, tmp_path):
    source = Source(settings={"api_jwt": {"key_file": "/run/secrets/key"}})
    made = Stack(broker, tmp_path / "stack", [source])
    done = run("vulnbus", "check-config", "-c", made.config)
    assert done.returncode == 78 and "not both" in done.stderr
