# SPDX-License-Identifier: Apache-2.0
"""Keys and tokens, made by PyJWT and jwcrypto; and the raw parts of which bad tokens are made."""

import base64
import json

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from jwcrypto import jwk, jws

# The order of the group of P-521, and the bytes of one of its numbers.
ORDER = int(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
    "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16)
WIDTH = 66

HEADER = b'{"typ":"JWT","alg":"ES512"}'

# RFC 7515 A.4: a signature over the text "Payload".
RFC7515_A4 = (
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA."
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt"
    "AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn")
RFC7515_A4_KEY = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def unb64(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def dump(claims) -> bytes:
    return json.dumps(claims, separators=(",", ":")).encode()


class Signer:
    """A private key and what can be done with it."""

    def __init__(self, curve=ec.SECP521R1):
        self.private = ec.generate_private_key(curve())
        self.public = self.private.public_key()

    @property
    def pem(self) -> str:
        return self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    @property
    def jwk(self) -> dict:
        return json.loads(jwk.JWK.from_pem(self.pem.encode()).export_public())

    def token(self, claims) -> str:
        """As a vendor makes it, by PyJWT."""
        return jwt.encode(claims, self.private, algorithm="ES512")

    def token_of_jwcrypto(self, claims) -> str:
        key = jwk.JWK.from_pyca(self.private)
        made = jws.JWS(dump(claims))
        made.add_signature(key, alg="ES512", protected={"typ": "JWT", "alg": "ES512"})
        return made.serialize(compact=True)

    def numbers(self, message: bytes, digest=hashes.SHA512):
        return decode_dss_signature(self.private.sign(message, ec.ECDSA(digest())))

    def signature(self, message: bytes, digest=hashes.SHA512) -> bytes:
        return raw(*self.numbers(message, digest), (self.private.curve.key_size + 7) // 8)

    def compact(self, header: bytes, payload: bytes) -> bytes:
        """A token over exactly these bytes of header and payload."""
        return self.over(b64(header), b64(payload))

    def over(self, header: bytes, payload: bytes) -> bytes:
        """The same with both parts already encoded, rightly or wrongly."""
        message = header + b"." + payload
        return message + b"." + b64(self.signature(message))


def raw(r: int, s: int, width=WIDTH) -> bytes:
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def der(r: int, s: int) -> bytes:
    return encode_dss_signature(r, s)
