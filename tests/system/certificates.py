# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities and what they sign, made for one test."""

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
DAY = timedelta(days=1)


def named(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def of_rdns(*rdns):
    """A name of RDNs, each a list of (type, value)."""
    return x509.Name([x509.RelativeDistinguishedName(
        [x509.NameAttribute(oid, value) for oid, value in rdn]) for rdn in rdns])


class Authority:
    """A CA of its own, or one that another has signed."""

    def __init__(self, folder: Path, name, above=None):
        self.folder = folder
        self.above = above
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = named(name)
        self.certificate = self._sign(self.subject, self.key, above or self, is_ca=True)
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(pem(self.certificate))

    @classmethod
    def posing_as(cls, certificate, key, above):
        """A certificate that is no authority's, used as one."""
        made = cls.__new__(cls)
        made.folder, made.above = above.folder, above
        made.key = serialization.load_pem_private_key(key.read_bytes(), None)
        made.certificate = x509.load_pem_x509_certificate(certificate.read_bytes())
        made.subject = made.certificate.subject
        return made

    @staticmethod
    def _sign(subject, key, by, is_ca=False, purpose=None, since=-DAY, until=DAY, host=None):
        now = datetime.now(timezone.utc)
        made = (x509.CertificateBuilder().subject_name(subject).issuer_name(by.subject)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now + since).not_valid_after(now + until)
                .add_extension(x509.BasicConstraints(is_ca, None), critical=True))
        if purpose is not None:
            made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if host is not None:
            made = made.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return made.sign(by.key, hashes.SHA256())

    def chain(self):
        """What a certificate needs beside it; the root is known already."""
        return pem(self.certificate) + self.above.chain() if self.above else b""

    def issue(self, stem, subject=None, **more):
        """(certificate with its chain, key) as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(subject or named(stem), key, self, **more)
        files = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        files[0].write_bytes(pem(certificate) + self.chain())
        files[1].write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return files


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def subject_of(file):
    """As the reference of hook.client_subject says."""
    said = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253",
                           "-in", file], check=True, capture_output=True, text=True)
    return said.stdout.rstrip("\n").removeprefix("subject=")
