"""A mail to a server on this machine that speaks TLS: what it is told, and what nobody is told where it is not safe."""

from __future__ import annotations

import base64
import shutil
import socketserver
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from loader.alerts import read_rules
from loader.alerts.channels import Message, UndeliveredError, send
from loader.errors import CommandUsageError

MESSAGE = Message("omnisupport: 1 needs you", "make status PARTITION=2026-04-17", {})
USER, PASSWORD = "omnisupport", "a-password-of-the-mail-server"
LOGIN = {"user": "env:SMTP_USER", "password": "env:SMTP_PASSWORD"}


@dataclass
class Mailbox:
    """A server and what it heard: in the clear, under TLS, logins and mails."""

    context: ssl.SSLContext
    offers_tls: bool = True
    address: str = ""
    clear: list[str] = field(default_factory=list)
    covered: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)


class Handler(socketserver.BaseRequestHandler):
    box: Mailbox
    is_covered = False

    def handle(self) -> None:
        with suppress(OSError):
            if self.is_covered:
                self.cover()
            self.say("220 ready")
            while line := self.rfile.readline().decode().strip():
                (self.box.covered if self.is_covered else self.box.clear).append(line)
                word, _, rest = line.partition(" ")
                if not self.answer(word.upper(), rest):
                    return

    def setup(self) -> None:
        self.rfile = self.request.makefile("rb")

    def cover(self) -> None:
        self.request = self.box.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.is_covered = self.request.makefile("rb"), True

    def answer(self, word: str, rest: str) -> bool:
        """False: the session ends."""
        match word:
            case "EHLO":
                starttls = ["250-STARTTLS"] if self.box.offers_tls and not self.is_covered else []
                self.say(*["250-here", *starttls, "250 AUTH PLAIN"])
            case "STARTTLS" if self.box.offers_tls:
                self.say("220 go on")
                self.cover()
            case "AUTH":
                _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                self.box.logins.append((user, password))
                self.say("235 welcome" if password == PASSWORD else f"535 no such {user} with {password}")
            case "DATA":
                self.say("354 go on")
                text = []
                while (part := self.rfile.readline()) != b".\r\n":
                    text.append(part.decode())
                self.box.mails.append("".join(text))
                self.say("250 taken")
            case "MAIL" | "RCPT" | "RSET":
                self.say("250 ok")
            case "QUIT":
                self.say("221 bye")
                return False
            case _:
                self.say("502 what?")
        return True

    def say(self, *lines: str) -> None:
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def serving(box: Mailbox, *, scheme: str = "smtp") -> Iterator[Mailbox]:
    handler = type("Covered", (Handler,), {"box": box, "is_covered": scheme == "smtps"})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        box.address = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _certificate(tmp_path_factory.mktemp("here"), "IP:127.0.0.1")


def _certificate(folder: Path, name: str) -> Path:
    """A certificate for the name that vouches for itself, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    path, key = folder / "certificate.pem", folder / "key.pem"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mail -keyout {key}"
    command = ["openssl", *words.split(), "-out", str(path), "-addext", f"subjectAltName={name}"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def _mailbox(certificate: Path, **said: Any) -> Mailbox:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return Mailbox(context, **said)


def _mail(tmp_path: Path, box: Mailbox, *, secret: str = PASSWORD, **said: Any) -> None:
    channel = {"smtp": box.address, "from": "a@example.org", "to": ["b@example.org"], **said}
    path = tmp_path / "alerts.yml"
    path.write_text(yaml.safe_dump({"channels": {"mail": channel}, "owners": {"*": ["mail"]}}))
    rules = read_rules(path, {"SMTP_USER": USER, "SMTP_PASSWORD": secret})
    send(rules.channels["mail"], MESSAGE)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_login_and_mail_go_under_tls(
    tmp_path: Path, certificate: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a password or a mail in the clear, and a mail that a server takes for spam, or answers by itself."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(_mailbox(certificate), scheme=scheme) as box:
        _mail(tmp_path, box, **LOGIN)
    assert box.logins == [(USER, PASSWORD)]
    assert [line.split()[0].upper() for line in box.clear] == (["EHLO", "STARTTLS"] if scheme == "smtp" else [])
    (mail,) = (message_from_string(text, policy=policy.default) for text in box.mails)
    assert (mail["subject"], mail.get_content().strip()) == (MESSAGE.title, MESSAGE.text)
    assert parsedate_to_datetime(mail["date"]).tzinfo is not None
    assert mail["message-id"].endswith("@example.org>")
    assert mail["auto-submitted"] == "auto-generated"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize("fault", ["nobody vouches for it", "it is another server's"])
def test_a_server_that_does_not_prove_who_it_is_hears_nothing(
    tmp_path: Path, certificate: Path, scheme: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a password that goes to whoever answers at the address."""
    held = certificate
    if fault == "it is another server's":
        held = _certificate(tmp_path, "DNS:mail.example.org")
        monkeypatch.setenv("SSL_CERT_FILE", str(held))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with serving(_mailbox(held), scheme=scheme) as box, pytest.raises(UndeliveredError) as failed:
        _mail(tmp_path, box, **LOGIN)
    assert "certificate verify failed" in str(failed.value)
    assert (box.logins, box.mails, box.covered) == ([], [], [])


def test_a_server_that_offers_no_tls_hears_nothing(tmp_path: Path, certificate: Path) -> None:
    """Prevents somebody on the way who takes the offer out of the greeting, and reads what follows."""
    with serving(_mailbox(certificate, offers_tls=False)) as box, pytest.raises(UndeliveredError) as failed:
        _mail(tmp_path, box, **LOGIN)
    assert str(failed.value) == "the mail server did not take it (it offers no STARTTLS)"
    assert (box.logins, box.mails) == ([], [])


def test_a_refused_login_is_told_without_its_words(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a password in a log, as the server repeats it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(_mailbox(certificate)) as box, pytest.raises(UndeliveredError) as failed:
        _mail(tmp_path, box, secret="not-the-password", **LOGIN)
    assert str(failed.value) == "the mail server did not take it (it refuses the login, 535)"
    assert box.mails == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({**LOGIN, "starttls": False}, "channels.mail.user: a login goes by TLS only"),
        ({"password": "env:SMTP_PASSWORD"}, "channels.mail.password: expected a user, too"),
        ({"user": "env:SMTP_USER"}, "channels.mail.user: expected a password, too"),
        ({"starttls": "no"}, "channels.mail.starttls: expected true or false"),
    ],
)
def test_a_login_that_would_go_in_the_clear_is_refused(tmp_path: Path, said: dict[str, Any], why: str) -> None:
    """Prevents a password that everybody on the way can read, and a half of a login that is never used."""
    with pytest.raises(CommandUsageError) as refused:
        _mail(tmp_path, Mailbox(ssl.create_default_context(), address="smtp://127.0.0.1:1"), **said)
    assert why in refused.value.message
