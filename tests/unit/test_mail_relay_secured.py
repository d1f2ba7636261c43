"""Mail to a relay that asks for TLS and an account: aiosmtpd on a real socket, with a certificate of an authority made here."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from aiosmtplib import SMTPAuthenticationError, SMTPException
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local import ports
from services.delivery.mail.relay import Relay, Reply
from services.delivery.settings import Settings
from shared.clock import utc_now

USER, PASSWORD = "gwangsan", "a-word-for-a-test"
LETTER = b"Subject: a\r\n\r\nsecret\r\n"


@dataclass
class Guarded:
    """Keeps the letters that it took, and whether who sent them had logged in."""

    took: list[tuple[bytes, bool]] = field(default_factory=list)

    async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.took.append((envelope.content, bool(session.authenticated)))
        return "250 OK"


def account(_: Any, __: Any, ___: Any, ____: str, given: Any) -> AuthResult:
    known = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


def certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) of 127.0.0.1, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), utc_now()
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "relay.pem", folder / "relay.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*kind))
    return cert_file, key_file


@contextmanager
def guarded(folder: Path, tls: Literal["starttls", "tls"]) -> Iterator[tuple[Guarded, int, Path]]:
    cert_file, key_file = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    taker, port = Guarded(), ports.pick(None, ())
    upgraded: dict[str, Any] = {"tls_context": context, "require_starttls": True, "auth_required": True}
    how = (
        upgraded if tls == "starttls" else {"ssl_context": context, "auth_require_tls": False}
    )  # it is TLS from the first
    controller = Controller(taker, hostname="127.0.0.1", port=port, authenticator=account, **how)
    controller.start()
    try:
        yield taker, port, cert_file
    finally:
        controller.stop()


def relay_at(port: int, tls: Literal["starttls", "tls"], password: str = PASSWORD) -> Relay:
    return Relay(
        Settings(smtp_host="127.0.0.1", smtp_port=port, smtp_tls=tls, smtp_username=USER, smtp_password=password)
    )


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_letters_go_over_tls_to_a_relay_that_knows_the_account(
    tls: Literal["starttls", "tls"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guarded(tmp_path, tls) as (taker, port, cert_file):
        monkeypatch.setenv("SSL_CERT_FILE", str(cert_file))
        relay = relay_at(port, tls)
        assert [await relay.post("us@c.kr", "a@b.kr", LETTER) for _ in range(2)] == [Reply(250)] * 2
        await relay.close()
    assert taker.took == [(LETTER, True)] * 2, "to who speaks nothing but TLS, by who had logged in"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_relay_whose_certificate_nobody_vouches_for_gets_no_letter_and_no_password(
    tls: Literal["starttls", "tls"], tmp_path: Path
) -> None:
    with guarded(tmp_path, tls) as (taker, port, _), pytest.raises((SMTPException, ssl.SSLError)):
        await relay_at(port, tls).post("us@c.kr", "a@b.kr", LETTER)
    assert taker.took == []


async def test_a_wrong_password_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with guarded(tmp_path, "starttls") as (taker, port, cert_file):
        monkeypatch.setenv("SSL_CERT_FILE", str(cert_file))
        with pytest.raises(SMTPAuthenticationError):
            await relay_at(port, "starttls", "wrong").post("us@c.kr", "a@b.kr", LETTER)
    assert taker.took == []


async def test_a_relay_that_offers_no_tls_gets_no_letter(tmp_path: Path) -> None:
    taker, port = Guarded(), ports.pick(None, ())
    controller = Controller(taker, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        with pytest.raises(SMTPException):
            await relay_at(port, "starttls").post("us@c.kr", "a@b.kr", LETTER)
    finally:
        controller.stop()
    assert taker.took == []
