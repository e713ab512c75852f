"""One message by one channel, in bounded time. Raises UndeliveredError, which says no secret."""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any
from urllib.parse import urlsplit

from loader.alerts.rules import Channel

# A server that does not answer delays nobody longer (seconds), also the run that tells of itself.
_SECONDS = 10.0
_PORTS = {"smtp": 25, "smtps": 465}


class UndeliveredError(Exception):
    """The message is not known to have arrived; it is sent again the next time."""


@dataclass(frozen=True, slots=True)
class Message:
    """`title`: one line; `text`: some; `record`: the same for programs."""

    title: str
    text: str
    record: Mapping[str, Any]


def send(channel: Channel, message: Message) -> None:
    """Raises UndeliveredError."""
    {"webhook": _post, "smtp": _mail, "command": _run}[channel.way](channel.said, message)


def _post(said: Mapping[str, Any], message: Message) -> None:
    """Any answer but 2xx is none: a redirection would carry the message to where nobody has sent it."""
    body = _filled(said["body"], message) if "body" in said else {"title": message.title, **message.record}
    request = urllib.request.Request(
        said["webhook"], json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.build_opener(_NoRedirection).open(request, timeout=_SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        error.close()
        status = error.code
    except (OSError, ValueError) as error:
        # A URL may hold a token, and so may what an error says of it.
        raise UndeliveredError(f"the webhook does not answer ({_kind(error)})") from error
    if not 200 <= status < 300:
        raise UndeliveredError(f"the webhook answers {status}")


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _filled(template: Any, message: Message) -> Any:
    """The body as the channel wants it, with {title} and {text} put in wherever it says so."""
    if isinstance(template, str):
        return template.replace("{title}", message.title).replace("{text}", message.text)
    if isinstance(template, dict):
        return {name: _filled(value, message) for name, value in template.items()}
    return [_filled(value, message) for value in template] if isinstance(template, list) else template


def _mail(said: Mapping[str, Any], message: Message) -> None:
    """By TLS where the address says smtps, or STARTTLS unless the file says that it is not wanted. A server that
    does not prove its name by a certificate, or offers no TLS, hears neither login nor mail."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.title, said["from"], ", ".join(said["to"])
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain=parseaddr(said["from"])[1].rpartition("@")[2] or "localhost")
    # Nobody's holiday answers a machine.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    address = urlsplit(said["smtp"])
    port = address.port or _PORTS[address.scheme]
    try:
        context = ssl.create_default_context()
        if address.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(address.hostname or "", port, timeout=_SECONDS, context=context)
        else:
            server = smtplib.SMTP(address.hostname or "", port, timeout=_SECONDS)
        with server:
            if address.scheme == "smtp" and said.get("starttls", True):
                server.starttls(context=context)
            if said.get("user"):
                server.login(said["user"], said.get("password", ""))
            # Who was refused is in the answer; with one that took it, the message has arrived somewhere.
            refused = server.send_message(mail)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise UndeliveredError(f"the mail server did not take it ({_kind(error)})") from error
    if refused:
        raise UndeliveredError(f"the mail server refused {len(refused)} of {len(said['to'])} recipients")


def _run(said: Mapping[str, Any], message: Message) -> None:
    """The command gets the record as JSON on its standard input, and no shell."""
    try:
        done = subprocess.run(
            said["command"],
            input=json.dumps({"title": message.title, "text": message.text, **message.record}).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UndeliveredError(f"the command did not end ({_kind(error)})") from error
    if done.returncode:
        raise UndeliveredError(f"the command ended with {done.returncode}")


def _kind(error: Exception) -> str:
    """What went wrong, without anything that was sent."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses the login, {error.smtp_code}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "it offers no STARTTLS" if "STARTTLS" in str(error) else "it offers no login"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code}"
    reason = getattr(error, "reason", None)
    known = reason if isinstance(reason, OSError) else error
    return getattr(known, "strerror", None) or type(known).__name__
