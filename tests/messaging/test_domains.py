"""Sender domains: what a look at one finds, what follows of it, and from where mail may come."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from foundation.errors import Conflict, Invalid
from journeys import publishing
from messaging import brands, dispatch
from messaging.broadcasts import running
from messaging.broadcasts.running import Plan
from messaging.domains import asking, doctor, keeping, policy
from messaging.domains.asking import Asker
from messaging.domains.doctor import Level, Way
from messaging.domains.models import SenderDomain
from messaging.models import Template
from profiles.models import Profile
from segments.models import Membership, Segment
from staff.models import AuditEntry
from tests.messaging.name_server import NameServer, Zone, certified, serving
from tests.messaging.sink import Sink

NOW = datetime.now(UTC)  # certificates are made, and looked at, by the real clock
Status = SenderDomain.Status


def _key(bits: int) -> str:
    raw = (
        rsa.generate_private_key(65_537, bits)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(raw).decode()


# A key of 512 bits, which today's libraries read and do not make.
SHORT = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMMwQRkdpqPq5IRRYSmXqVUefOGNEaF4kY0OLU6gSzB0AHqZlx/TE8PODUQdOkoS4B1egoXoCJcsGPQ3y9YxG/"
    "kCAwEAAQ=="
)
GOOD, WEAK = _key(2_048), _key(1_024)


def dkim(key: str, more: str = "") -> list[str]:
    said = f"v=DKIM1; k=rsa; {more}p={key}"
    return [" ".join(f'"{said[at : at + 200]}"' for at in range(0, len(said), 200))]


SOUND: Zone = {
    "example.com TXT": ['"v=spf1 mx include:spf.mail.test -all"', '"some-site-verification=1"'],
    "spf.mail.test TXT": ['"v=spf1 ip4:192.0.2.0/24 ~all"'],
    "example.com MX": ["10 mail.example.com."],
    "s1._domainkey.example.com TXT": dkim(GOOD),
    "_dmarc.example.com TXT": ['"v=DMARC1; p=reject; rua=mailto:dmarc@example.com"'],
    "mail.example.com A": ["127.0.0.1"],
    "1.0.0.127.in-addr.arpa PTR": ["mail.example.com."],
    "crm.example.com CNAME": ["app.example.com."],
    "app.example.com A": ["127.0.0.1"],
    "bounces.example.com MX": ["10 mail.example.com."],
    "bounces.example.com TXT": ['"v=spf1 mx -all"'],
    "elsewhere.test MX": ["10 mail.example.com."],
    "elsewhere.test TXT": ['"v=spf1 mx -all"'],
}


class Place:
    """A name server, a mail server and a site, all sound until a test changes something."""

    def __init__(self, names: NameServer, trusted: str, way: Way) -> None:
        self.names, self.trusted, self.way = names, trusted, way

    def ask(self, seconds: float = 10.0) -> Asker:
        some = any(name.endswith("SILENT") for name in self.names.zone)
        each = 0.5 if some else 5.0
        return Asker(["127.0.0.1"], self.names.port, seconds=seconds, each=each, cafile=self.trusted)

    def keys(self, domain: str = "example.com", selectors: tuple[str, ...] = (), **way: Any) -> set[str]:
        """What is found, but for what is fine."""
        found = doctor.examine(domain, selectors, replace(self.way, **way), self.ask(), NOW)
        assert all(one.says.endswith((".", ".com")) and (one.do or one.level == Level.FINE) for one in found)
        return {one.key for one in found if one.level != Level.FINE}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("certificates")
    good = certified(folder, "mail.example.com", "crm.example.com", "crm.elsewhere.test")
    names = NameServer()
    with serving(good, smtp=True) as mail, serving(good, smtp=False) as site:
        way = Way(
            server="mail.example.com", port=mail, tls="starttls", returns="bounces.example.com",
            site=f"https://crm.example.com:{site}",
        )  # fmt: skip
        yield Place(names, str(good), way)
    names.close()


@pytest.fixture
def place(servers: Place) -> Place:
    servers.names.zone = dict(SOUND)
    return servers


BROKEN: dict[str, tuple[Zone, dict[str, Any], set[str]]] = {
    "no SPF": ({"example.com TXT": []}, {}, {"spf.missing"}),
    "two SPF records": ({"example.com TXT": ['"v=spf1 mx -all"', '"v=spf1 a -all"']}, {}, {"spf.twice"}),
    "SPF for everybody": ({"example.com TXT": ['"v=spf1 mx +all"']}, {}, {"spf.open"}),
    "SPF without an end": ({"example.com TXT": ['"v=spf1 mx"']}, {}, {"spf.vague"}),
    "SPF with a slip": ({"example.com TXT": ['"v=spf1 ipv4:192.0.2.1 -all"']}, {}, {"spf.broken"}),
    "SPF that takes in nothing": ({"example.com TXT": ['"v=spf1 include:gone.test -all"']}, {}, {"spf.broken"}),
    "SPF of eleven look-ups": (
        {
            "example.com TXT": ['"v=spf1 include:many.test -all"'],
            "many.test TXT": [f'"v=spf1 {" ".join(f"a:h{n}.test" for n in range(10))} -all"'],
        },
        {},
        {"spf.long"},
    ),
    "SPF that goes round": ({"spf.mail.test TXT": ['"v=spf1 include:spf.mail.test -all"']}, {}, {"spf.long"}),
    "no DKIM": ({"s1._domainkey.example.com TXT": []}, {}, {"dkim.missing"}),
    "a DKIM key of 512 bits": ({"s1._domainkey.example.com TXT": dkim(SHORT)}, {}, {"dkim.short"}),
    "a DKIM key of 1,024 bits": ({"s1._domainkey.example.com TXT": dkim(WEAK)}, {}, {"dkim.weak"}),
    "a DKIM key taken back": ({"s1._domainkey.example.com TXT": dkim("")}, {}, {"dkim.revoked"}),
    "a DKIM key cut off": ({"s1._domainkey.example.com TXT": dkim(GOOD[:-40])}, {}, {"dkim.broken"}),
    "a DKIM key on trial": ({"s1._domainkey.example.com TXT": dkim(GOOD, "t=y; ")}, {}, {"dkim.testing"}),
    "no DMARC": ({"_dmarc.example.com TXT": []}, {}, {"dmarc.missing"}),
    "two DMARC records": (
        {"_dmarc.example.com TXT": ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"']}, {}, {"dmarc.twice"},
    ),
    "DMARC with a slip": ({"_dmarc.example.com TXT": ['"v=DMARC1; p=monitor"']}, {}, {"dmarc.broken"}),
    "DMARC that asks for nothing": ({"_dmarc.example.com TXT": ['"v=DMARC1; p=none"']}, {}, {"dmarc.lenient"}),
    "bounces to nowhere": ({"bounces.example.com MX": [], "bounces.example.com A": []}, {}, {"return.nowhere"}),
    "bounces to a domain without SPF": ({"bounces.example.com TXT": []}, {}, {"return.unlisted"}),
    "bounces to another domain": ({}, {"returns": "elsewhere.test"}, {"return.apart"}),
    "bounces below, and strict alignment": (
        {"_dmarc.example.com TXT": ['"v=DMARC1; p=reject; aspf=s"']}, {"site": ""}, {"return.apart", "links.local"},
    ),
    "a server without a name": ({"1.0.0.127.in-addr.arpa PTR": []}, {}, {"server.nameless"}),
    "a server under a false name": (
        {"1.0.0.127.in-addr.arpa PTR": ["host.test."], "host.test A": ["192.0.2.9"]}, {}, {"server.disowned"},
    ),
    "a way that asks for no cover": ({}, {"tls": ""}, {"tls.unused"}),
    "a site that is not there": ({"app.example.com A": []}, {}, {"links.missing"}),
    "a site without TLS": ({}, {"site": "http://crm.example.com"}, {"links.bare"}),
    "a DNS that is silent about SPF": ({"example.com SILENT": []}, {"returns": "bounces.example.com"}, {"spf.unknown"}),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_em_07_a_broken_set_up_gives_exactly_its_finding(place: Place, case: str) -> None:
    zone, way, found = BROKEN[case]
    place.names.zone |= zone
    place.names.zone = {name: there for name, there in place.names.zone.items() if there or name.endswith("SILENT")}
    assert place.keys(**way) == found


def test_em_07_a_sound_set_up_is_fine_also_below_a_domain_and_by_a_provider(place: Place) -> None:
    assert place.keys() == set()
    assert place.keys(server="", returns="") == set()  # a provider's API has servers of its own
    assert place.keys(selectors=("s1",)) == set()
    assert place.keys(selectors=("s1", "s9")) == {"dkim.missing"}
    # Below a domain, its policy counts where there is no own one; `sp` is said for just that.
    place.names.zone |= {
        "news.example.com TXT": ['"v=spf1 mx -all"'],
        "pm._domainkey.news.example.com TXT": dkim(GOOD),
    }
    assert place.keys("news.example.com") == set()
    place.names.zone["_dmarc.example.com TXT"] = ['"v=DMARC1; p=reject; sp=none"']
    assert place.keys("news.example.com") == {"dmarc.lenient"}


def test_em_07_certificates_are_looked_at(place: Place, tmp_path: Any) -> None:
    other, ending = (
        certified(tmp_path, "other.test"),
        certified(tmp_path, "mail.example.com", "crm.example.com", days=3),
    )
    over = certified(tmp_path, "crm.example.com", days=-3)
    with serving(other, smtp=True) as mail, serving(over, smtp=False) as site, serving(None, smtp=True) as bare:
        assert place.keys(port=mail) == {"tls.mistrusted"}
        assert place.keys(site=f"https://crm.example.com:{site}") == {"links.mistrusted"}
        assert place.keys(port=bare) == {"tls.missing"}
    place.names.zone["crm.elsewhere.test A"] = ["127.0.0.1"]
    assert place.keys(site=place.way.site.replace("example.com", "elsewhere.test")) == {"links.apart"}
    place.trusted, trusted = str(ending), place.trusted
    with serving(ending, smtp=True) as mail, serving(ending, smtp=False) as site:
        ends = {"tls.ending", "links.ending"}
        assert place.keys(port=mail, site=f"https://crm.example.com:{site}") == ends
    place.trusted = trusted


def test_em_07_who_is_silent_costs_no_more_than_the_time_there_is(place: Place) -> None:
    place.names.zone = {f"{name.partition(' ')[0]} SILENT": [] for name in SOUND}
    found = doctor.examine("example.com", ["s1"], place.way, place.ask(seconds=0.4), NOW)
    assert {one.level for one in found} == {Level.UNKNOWN}
    assert doctor.verdict(found) is None
    asked = place.names.asked
    doctor.examine("example.com", ["s1"], place.way, place.ask(seconds=0.0), NOW)
    assert place.names.asked == asked  # when time is up, nobody is asked any more


# ── What follows ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def real(settings: Any) -> None:
    """Mail leaves for the net."""
    settings.SENDER_DOMAINS = "verified"


def test_em_08_a_domain_is_verified_fails_on_the_second_look_and_is_verified_again(
    db: None, place: Place, now: datetime
) -> None:
    row = keeping.add("Example.COM.", now=now)
    assert (row.name, row.status) == ("example.com", Status.NEW)
    assert keeping.tick(now, ask=place.ask(), way=place.way) == 1
    row.refresh_from_db()
    assert (row.status, row.wanting) == (Status.VERIFIED, 0)
    assert keeping.tick(now, ask=place.ask(), way=place.way) == 0  # not before its time

    key = place.names.zone.pop("s1._domainkey.example.com TXT")
    keeping.tick(row.next_at, ask=place.ask(), way=place.way)
    row.refresh_from_db()
    assert (row.status, row.wanting) == (Status.VERIFIED, 1)  # one look may be a mishap
    place.names.zone |= {"s1._domainkey.example.com TXT": key, "example.com SILENT": []}
    keeping.tick(row.next_at, ask=place.ask(0.5), way=place.way)
    row.refresh_from_db()
    assert (row.status, row.wanting) == (Status.VERIFIED, 1)  # and silence proves nothing
    del place.names.zone["example.com SILENT"], place.names.zone["s1._domainkey.example.com TXT"]
    keeping.tick(row.next_at, ask=place.ask(), way=place.way)
    row.refresh_from_db()
    assert row.status == Status.FAILED
    assert AuditEntry.objects.filter(verb="domain.failed", summary__contains="No DKIM key").exists()

    place.names.zone["s1._domainkey.example.com TXT"] = key
    keeping.look(row, now=row.next_at, ask=place.ask(), way=place.way)
    assert row.status == Status.VERIFIED


@pytest.fixture
def verified(place: Place, db: None, now: datetime) -> SenderDomain:
    """example.com, in order."""
    row = keeping.add("example.com", now=now)
    keeping.look(row, now=now, ask=place.ask(), way=place.way)
    return row


JOURNEY = {
    "entry": {"trigger": {"kind": "event", "name": "signed_up"}},
    "steps": [{"key": "say", "kind": "message", "channel": "email", "template": "hello"}],
}


@pytest.mark.usefixtures("real")
def test_em_08_mail_is_begun_with_only_from_a_verified_domain_and_drafts_are_free(
    place: Place, write: Callable[..., Template], ada: Profile, now: datetime
) -> None:
    write()
    segment = Segment.objects.create(slug="all", name="All", status="live", definition={}, created_at=now)
    Membership.objects.create(segment=segment, profile=ada, entered_at=now, cause="build")
    publishing.save("welcome", name="Welcome", document=JOURNEY, now=now)
    draft = running.save(None, Plan(name="Spring", segment="all", template="hello"), now=now)

    def refused() -> str:
        with pytest.raises(Invalid) as at_publishing:
            publishing.publish("welcome", now=now)
        with pytest.raises(Conflict) as at_start:
            running.start(draft.id, now=now)
        assert at_publishing.value.problems[0].path == "document.steps[0].template"
        assert str(at_start.value) in str(at_publishing.value)
        return str(at_start.value)

    assert "hello@example.com is at example.com, which is not verified. Add it under Sender domains" in refused()
    row = keeping.add("example.com", now=now)
    assert "not verified" in refused()
    place.names.zone.pop("_dmarc.example.com TXT")
    keeping.look(row, now=now, ask=place.ask(), way=place.way)
    assert "example.com, which is not in order" in refused()
    place.names.zone = dict(SOUND)
    keeping.look(row, now=now, ask=place.ask(), way=place.way)
    assert publishing.publish("welcome", now=now).published_at == now
    assert running.start(draft.id, now=now).audience == 1


def test_em_08_the_brand_comes_from_no_freemail_and_where_mail_leaves_from_a_verified_domain_alone(
    db: None, settings: Any, place: Place, now: datetime
) -> None:
    for mailbox in ("acme@gmail.com", "acme@outlook.com", "acme@Web.DE"):
        with pytest.raises(Invalid, match="where anybody has a mailbox"):
            brands.save(sender_address=mailbox, now=now)
    brands.save(sender_address="hello@anywhere.example", now=now)  # files stay in the house
    for host, held in (("localhost", False), ("mail.example.com", True)):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST = host
        assert policy.applies() is held
    with pytest.raises(Invalid, match=r"example\.com, which is not verified"):
        brands.save(sender_address="hello@example.com", now=now)
    brands.save(sender_address="hello@anywhere.example", colour="#112233", now=now)  # as it was, it may stay
    keeping.look(keeping.add("example.com", now=now), now=now, ask=place.ask(), way=place.way)
    brands.save(sender_address="hello@example.com", now=now)
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    assert policy.applies()
    settings.SENDER_DOMAINS = "any"
    assert not policy.applies()


@pytest.mark.usefixtures("real")
def test_em_08_what_can_wait_waits_while_the_domain_is_not_in_order_and_goes_once_it_is(
    verified: SenderDomain, place: Place, sink: Sink, write: Any, queue: Any, agree: Any, receipts: Any, ada: Profile,
    now: datetime,
) -> None:  # fmt: skip
    write()
    write("paid", topic="receipts")
    agree(ada)
    place.names.zone.pop("s1._domainkey.example.com TXT")
    keeping.look(verified, now=now, ask=place.ask(), way=place.way)
    assert verified.status == Status.FAILED
    waits, needed = queue(ada), queue(ada, "paid")
    dispatch.tick(now)
    waits.refresh_from_db()
    needed.refresh_from_db()
    assert (waits.state, waits.guardrail, needed.state) == ("deferred", "sender", "sent")
    assert waits.reason.startswith("Mail comes from example.com, which is not in order")
    place.names.zone = dict(SOUND)
    keeping.look(verified, now=now, ask=place.ask(), way=place.way)
    dispatch.tick(now)
    waits.refresh_from_db()
    assert waits.state == "sent"


def test_em_07_the_command_says_what_is_wrong_and_what_to_do(
    verified: SenderDomain, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking.Asker, "__init__", _at(place))
    said = StringIO()
    call_command("check_domain", "example.com", stdout=said)
    assert "fine    SPF names who may send" in said.getvalue()
    assert said.getvalue().rstrip().endswith("mail from it is believed.")
    place.names.zone.pop("example.com TXT")
    with pytest.raises(CommandError, match="not believed"):
        call_command("check_domain", "Example.com", stdout=said)
    assert "WRONG   There is no SPF record" in said.getvalue()
    assert "Publish a TXT record at example.com" in said.getvalue()
    verified.refresh_from_db()
    assert verified.status == Status.FAILED
    for odd in ("gmail.com", "nothing", "a..b", "x" * 300):
        with pytest.raises(CommandError, match=r"must be a domain|anybody has a mailbox"):
            call_command("check_domain", odd, stdout=said)


def _at(place: Place) -> Callable[..., None]:
    """Has whoever asks ask this name server: a command and a page have no argument for another."""
    made = asking.Asker.__init__

    def begin(self: Asker) -> None:
        made(self, ["127.0.0.1"], place.names.port, cafile=place.trusted)

    return begin


def test_em_07_staff_add_a_domain_and_see_what_it_lacks(
    admin_client: Client, place: Place, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking.Asker, "__init__", _at(place))
    add = reverse("admin:messaging_senderdomain_add")
    assert "must be a domain such as example.com" in admin_client.post(add, {"name": "nothing"}).content.decode()
    page = admin_client.post(add, {"name": "example.com", "selectors": "s1, s2"})["Location"]
    row = SenderDomain.objects.get()
    assert row.selectors == ["s1", "s2"]
    assert "is among the sender domains already" in admin_client.post(add, {"name": "example.com"}).content.decode()
    admin_client.post(page, {"verb": "look"})
    shown = admin_client.get(page).content.decode()
    assert "There is no DKIM key at s2._domainkey.example.com." in shown
    assert "Not in order" in admin_client.get(reverse("admin:messaging_senderdomain_changelist")).content.decode()
    edit = reverse("admin:messaging_senderdomain_edit", args=[row.pk])
    assert admin_client.post(edit, {"selectors": "s1"})["Location"] == page
    assert 'value="s1"' in admin_client.get(edit).content.decode()
    admin_client.post(page, {"verb": "drop"})
    assert not SenderDomain.objects.exists()
    trail = AuditEntry.objects.filter(kind="sender domain").order_by("id").values_list("verb", flat=True)
    assert list(trail) == ["domain.added", "domain.failed", "domain.changed", "domain.dropped"]
