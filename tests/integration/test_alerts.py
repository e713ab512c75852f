"""Who is told that a day needs somebody, once, by real servers on this machine; a failure is told again."""

from __future__ import annotations

import json
import socketserver
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from loader.alerts import Delivery, outbox, read_rules, tell
from loader.alerts.channels import Message
from loader.alerts.decisions import Alert
from loader.alerts.rules import Channel, QuietHours
from loader.errors import CommandUsageError
from loader.release.by_hand import hold
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import Done, forked
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
SECRET = "a-token-of-the-webhook"


@dataclass
class Heard:
    """What a server was sent, and what it answers."""

    address: str = ""
    status: int = 200
    messages: list[Any] = field(default_factory=list)


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def webhook() -> Iterator[Heard]:
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if 200 <= heard.status < 300:
                heard.messages.append(json.loads(body))
            self.send_response(heard.status)
            if heard.status == 302:
                self.send_header("location", heard.address + "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            heard.messages.append("was sent elsewhere")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    heard.address = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    with serving(server):
        yield heard


@pytest.fixture
def mailbox() -> Iterator[Heard]:
    """As much of a mail server as a client needs; it refuses whom it does not know."""
    heard = Heard()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            taken: list[str] = []
            while line := self.rfile.readline().decode().strip():
                word = line.split(":")[0].upper()
                if word.startswith("DATA"):
                    self.say("354 go on")
                    text = []
                    while (part := self.rfile.readline()) != b".\r\n":
                        text.append(part.decode())
                    heard.messages.append((taken, "".join(text)))
                elif word == "RCPT TO" and "unknown" in line:
                    self.say("550 no such box")
                    continue
                elif word == "RCPT TO":
                    taken.append(line.partition("<")[2].rstrip(">"))
                self.say("221 bye" if word == "QUIT" else "250 ok")
                if word == "QUIT":
                    return

        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    heard.address = f"smtp://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        yield heard


def rules_file(tmp_path: Path, channels: dict[str, Any], **more: Any) -> Path:
    path = tmp_path / "alerts.yml"
    path.write_text(yaml.safe_dump({"channels": channels, "owners": {"*": [*channels]}, **more}))
    return path


def told(database: Warehouse, path: Path, *decisions: Alert, now: datetime = NOW) -> list[Delivery]:
    with closing(database.connect()) as connection:
        return tell(connection, read_rules(path, {}), decisions, Path("/site"), now)


def decision(state: str, *codes: str, day: str = "2026-04-17", kind: str = "ticket_v1") -> Alert:
    is_bad = state not in ("released", "held")
    return Alert(f"{kind}/{day}", state, codes, is_bad, f"make status PARTITION={day}")


def titles(heard: Heard) -> list[str]:
    return [each["title"] for each in heard.messages]


class TestOfAWarehouse:
    """The command over a day that is kept back, held, and released."""

    @pytest.fixture
    def kept_back(self, tmp_path: Path) -> Path:
        lines = [ticket(number) for number in range(1, 11)]
        spoilt = [json.dumps({"ticket_id": "TKT-SECRET", "customer": "erika@example.org"}).encode()] * 5
        write_export(tmp_path / "exports" / "tickets-2026-04-17.jsonl", [*lines, *spoilt])
        return declare(tmp_path / "exports")

    def alert(self, path: Path, loader_environment: dict[str, str], *words: str) -> Done:
        return forked(["alert", *words], {**loader_environment, "LOADER_ALERTS": str(path)}, ROOT)

    def test_a_change_is_told_once_with_what_to_type_and_no_word_of_a_record(
        self, kept_back: Path, tmp_path: Path, webhook: Heard, loader_environment: dict[str, str]
    ) -> None:
        """Prevents a day that nobody hears of, a second alarm for one fault, and a name in somebody's chat."""
        path = rules_file(tmp_path, {"oncall": {"webhook": webhook.address}}, pages="https://pages.example.org/")
        assert run(kept_back, partition=DAY).exit_code == 1
        look = self.alert(path, loader_environment)
        assert (look.code, webhook.messages) == (0, [])
        assert look.out.startswith("oncall would be told of ")
        assert self.alert(path, loader_environment, "--once").code == 0
        (message,) = webhook.messages
        (of_day,) = [each for each in message["alerts"] if each["partition_key"]]
        assert (of_day["subject"], of_day["state"]) == ("ticket_v1/2026-04-17", "kept back")
        assert "reject_limit_exceeded" in of_day["codes"]
        assert of_day["next_command"].startswith("make release PARTITION=2026-04-17 ACCEPT_REJECTS=1")
        assert of_day["page"] == "https://pages.example.org/days/2026-04-17.html#ticket_v1"
        text = json.dumps(message)
        assert not any(word in text for word in ("SECRET", "erika", "tickets-2026"))
        again = self.alert(path, loader_environment, "--once")
        assert (again.code, again.out.splitlines()[0]) == (0, "Everybody knows what there is to know.")
        assert len(webhook.messages) == 1
        hold(settings(), [DAY], "erika@example.org asked for it")
        assert self.alert(path, loader_environment, "--once").code == 0
        assert titles(webhook)[1:] == ["omnisupport: 1 is settled"]
        assert "erika" not in json.dumps(webhook.messages)

    def test_what_did_not_arrive_ends_with_3_says_no_secret_and_is_sent_again(
        self, kept_back: Path, tmp_path: Path, webhook: Heard, loader_environment: dict[str, str]
    ) -> None:
        """Prevents an alarm that is lost because a server was away for a minute."""
        path = rules_file(tmp_path, {"oncall": {"webhook": webhook.address}})
        run(kept_back, partition=DAY)
        webhook.status = 503
        failed = self.alert(path, loader_environment, "--once")
        assert failed.code == 3 and "the webhook answers 503" in failed.said
        assert failed.next_command == "make alert ONCE=1"
        assert SECRET not in failed.err + failed.out
        webhook.status = 200
        assert self.alert(path, loader_environment, "--once").code == 0
        assert len(webhook.messages) == 1

    def test_without_a_file_of_rules_nobody_is_told_and_the_next_command_makes_one(
        self, tmp_path: Path, loader_environment: dict[str, str]
    ) -> None:
        done = self.alert(tmp_path / "nowhere.yml", loader_environment, "--once")
        assert done.code == 2
        assert done.next_command.startswith("cp infra/alerts.example.yml infra/alerts.yml")


class TestOutbox:
    """Decisions as they come, and what each channel hears of them."""

    @pytest.fixture
    def path(self, tmp_path: Path, webhook: Heard) -> Path:
        return rules_file(tmp_path, {"oncall": {"webhook": webhook.address}})

    def test_each_change_is_told_once_and_the_table_forgets_what_is_settled(
        self, database: Warehouse, path: Path, webhook: Heard
    ) -> None:
        story = [
            (decision("released"), []),
            (decision("kept back", "drift"), ["omnisupport: 1 needs you"]),
            (decision("kept back", "drift"), []),
            (decision("damaged", "reconcile_finding"), ["omnisupport: 1 needs you"]),
            (decision("released"), ["omnisupport: 1 is settled"]),
            (decision("released"), []),
        ]
        for made, heard in story:
            webhook.messages.clear()
            told(database, path, made)
            assert titles(webhook) == heard, made
        assert rows(database, "select count(*) from ops.alert") == [(0,)]

    def test_what_was_settled_before_anybody_heard_of_it_is_not_told(
        self, database: Warehouse, path: Path, webhook: Heard
    ) -> None:
        """Prevents "settled" of what nobody knew, and an alarm for what is mended."""
        webhook.status = 500
        assert [each.failure for each in told(database, path, decision("damaged"))] == ["the webhook answers 500"]
        webhook.status = 200
        assert told(database, path, decision("released")) == []
        assert webhook.messages == []

    def test_a_server_that_is_not_there_fails_one_channel_and_no_other(
        self, database: Warehouse, tmp_path: Path, webhook: Heard
    ) -> None:
        with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as nobody:
            free = nobody.server_address[1]
        channels = {"away": {"webhook": f"http://127.0.0.1:{free}/{SECRET}"}, "there": {"webhook": webhook.address}}
        found = told(database, rules_file(tmp_path, channels), decision("damaged"))
        assert [(each.channel, each.failure is None) for each in found] == [("away", False), ("there", True)]
        assert SECRET not in str(found)
        assert len(webhook.messages) == 1
        assert rows(database, "select channel, attempt_count, told is null from ops.alert order by 1") == [
            ("away", 1, True),
            ("there", 0, False),
        ]

    def test_a_command_that_is_ended_at_one_channel_tells_no_other_again(
        self, database: Warehouse, tmp_path: Path, webhook: Heard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Prevents an alarm with each run, because another channel's server is slow and the command does not wait."""
        path = rules_file(tmp_path, {name: {"webhook": webhook.address, "body": name} for name in ("a", "b")})
        really = outbox.send

        def ended(channel: Channel, message: Message) -> None:
            if channel.name == "b":
                raise KeyboardInterrupt
            really(channel, message)

        with monkeypatch.context() as patch:
            patch.setattr(outbox, "send", ended)
            with pytest.raises(KeyboardInterrupt):
                told(database, path, decision("damaged"))
        told(database, path, decision("damaged"))
        assert webhook.messages == ["a", "b"]

    def test_an_answer_that_sends_elsewhere_is_not_followed(
        self, database: Warehouse, path: Path, webhook: Heard
    ) -> None:
        """Prevents a message that is carried to where nobody has sent it."""
        webhook.status = 302
        assert [each.failure for each in told(database, path, decision("damaged"))] == ["the webhook answers 302"]
        assert webhook.messages == []

    def test_owners_of_a_kind_hear_of_it_and_the_others_of_the_rest(
        self, database: Warehouse, tmp_path: Path, webhook: Heard
    ) -> None:
        channels = {name: {"webhook": webhook.address, "body": {"to": name, "of": "{text}"}} for name in ("a", "b")}
        path = rules_file(tmp_path, channels)
        said = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**said, "owners": {"*": ["a"], "call_v1": ["b"]}}))
        told(database, path, decision("damaged"), decision("damaged", kind="call_v1"))
        assert [(each["to"], "call_v1" in each["of"], "ticket_v1" in each["of"]) for each in webhook.messages] == [
            ("a", False, True),
            ("b", True, False),
        ]

    def test_in_quiet_hours_only_damage_is_told_and_the_rest_after_them(
        self, database: Warehouse, tmp_path: Path, webhook: Heard
    ) -> None:
        quiet = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}
        path = rules_file(tmp_path, {"oncall": {"webhook": webhook.address}}, quiet_hours=quiet)
        made = [decision("damaged"), decision("kept back", day="2026-04-18")]
        # 23:30 in Berlin.
        found = told(database, path, *made, now=datetime(2026, 4, 20, 21, 30, tzinfo=UTC))
        assert [(each.is_quiet, len(each.decisions)) for each in found] == [(False, 1), (True, 1)]
        assert titles(webhook) == ["omnisupport: 1 needs you"]
        told(database, path, *made, now=datetime(2026, 4, 21, 4, 30, tzinfo=UTC))
        assert [[each["state"] for each in message["alerts"]] for message in webhook.messages] == [
            ["damaged"],
            ["kept back"],
        ]

    def test_a_mail_says_the_same_and_refused_recipients_are_told_again(
        self, database: Warehouse, tmp_path: Path, mailbox: Heard
    ) -> None:
        channel = {"smtp": mailbox.address, "from": "a@example.org", "to": ["b@example.org"], "starttls": False}
        path = rules_file(tmp_path, {"mail": channel})
        assert [each.failure for each in told(database, path, decision("damaged"))] == [None]
        ((taken, text),) = mailbox.messages
        assert taken == ["b@example.org"]
        mail = message_from_string(text, policy=policy.default)
        assert mail["subject"] == "omnisupport: 1 needs you"
        assert "make status PARTITION=2026-04-17" in mail.get_content()
        channel["to"] = ["b@example.org", "unknown@example.org"]
        path = rules_file(tmp_path, {"mail": channel})
        (failed,) = told(database, path, decision("kept back"))
        assert failed.failure == "the mail server refused 1 of 2 recipients"

    def test_a_command_gets_it_on_its_standard_input_and_no_shell(self, database: Warehouse, tmp_path: Path) -> None:
        heard = tmp_path / "heard.json"
        script = f"import sys; open({str(heard)!r}, 'w').write(sys.stdin.read())"
        path = rules_file(tmp_path, {"pager": {"command": [sys.executable, "-c", script]}})
        assert [each.failure for each in told(database, path, decision("damaged"))] == [None]
        assert json.loads(heard.read_text())["title"] == "omnisupport: 1 needs you"
        path = rules_file(tmp_path, {"pager": {"command": [sys.executable, "-c", "raise SystemExit(7)"]}})
        (failed,) = told(database, path, decision("kept back"))
        assert failed.failure == "the command ended with 7"

    def test_two_at_once_tell_one_time(self, database: Warehouse, path: Path, webhook: Heard) -> None:
        threads = [Thread(target=told, args=(database, path, decision("damaged"))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(webhook.messages) == 1

    def test_a_thousand_days_are_one_message_of_twenty_lines(
        self, database: Warehouse, path: Path, webhook: Heard
    ) -> None:
        days = [
            decision("kept back", day=f"{year}-{month:02}-01") for year in range(2000, 2084) for month in range(1, 13)
        ]
        told(database, path, *days)
        (message,) = webhook.messages
        assert message["title"] == "omnisupport: 1008 need you"
        assert len(message["text"].splitlines()) == 22
        assert "and 988 more: make status" in message["text"]

    def test_what_is_no_day_or_no_channel_any_more_waits_for_nothing(
        self, database: Warehouse, path: Path, webhook: Heard
    ) -> None:
        webhook.status = 500
        told(database, path, decision("damaged"))
        webhook.status = 200
        assert told(database, path, decision("released", day="2026-04-19")) == []
        assert rows(database, "select count(*) from ops.alert") == [(0,)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("[]", "the file: got []"),
        ("channels: {a: {webhook: 'http://x'}}", "owners: got None"),
        ("{channels: {}, owners: {}}", "who hears of what no other line names"),
        ("{channels: {}, owners: {'*': [nobody]}}", "expected a list of names of channels"),
        ("{channels: {a: {}}, owners: {'*': [a]}}", "expected one of webhook, smtp, command"),
        ("{channels: {a: {webhook: 'ftp://x'}}, owners: {'*': [a]}}", "channels.a.webhook: expected https://host"),
        ("{channels: {a: {webhook: 'env:NOT_SET'}}, owners: {'*': [a]}}", "the variable NOT_SET is not set"),
        ("{channels: {a: {smtp: 'smtp://x', to: [b]}}, owners: {'*': [a]}}", "channels.a: expected from"),
        ("{channels: {a: {command: page me}}, owners: {'*': [a]}}", "channels.a.command: expected a list of words"),
        ("{channels: {a: {webhook: 'http://x', colour: red}}, owners: {'*': [a]}}", "got ['colour']"),
        ("{channels: {}, owners: {'*': []}, quiet_hours: {from: noon}}", "quiet_hours: got"),
        ("{", "the file: while parsing"),
    ],
)
def test_rules_that_cannot_be_understood_are_refused_with_their_place(tmp_path: Path, said: str, why: str) -> None:
    """Prevents an alarm that nobody gets because of a slip of the pen."""
    path = tmp_path / "alerts.yml"
    path.write_text(said)
    with pytest.raises(CommandUsageError) as refused:
        read_rules(path, {})
    assert why in refused.value.message


def test_the_example_can_be_copied_as_it_stands() -> None:
    found = read_rules(ROOT / "infra" / "alerts.example.yml", {"ALERT_WEBHOOK": "https://hooks.example.org/x"})
    assert [channel.way for channel in found.channels.values()] == ["webhook"]
    assert found.channels_of("ticket_v1") == found.channels_of(None) == ["oncall"]


@pytest.mark.parametrize(
    ("clock", "is_quiet"), [(21, False), (22, True), (23, True), (3, True), (6, False), (12, False)]
)
def test_quiet_hours_go_over_midnight(clock: int, is_quiet: bool) -> None:
    quiet = QuietHours(time(22), time(6), ZoneInfo("UTC"))
    assert quiet.include(datetime(2026, 4, 20, clock, tzinfo=UTC)) == is_quiet
