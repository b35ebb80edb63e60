"""What people write back: mails that unsubscribe by their token, texts that say stop, and what is left to read."""

import base64
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from django.core.management import call_command
from django.test import Client

from consent import answers, forgetting, links, replies, states, suppression, tokens
from consent.ledger import EVERYTHING, Outcome
from consent.models import ConsentEvidence, ConsentRecord, Reply, Suppression, Topic
from consent.stopping import says_stop
from foundation import clock, inbound
from foundation.errors import Conflict
from messaging import sms
from profiles.models import Profile
from staff.models import AuditEntry

Decide = Callable[..., Outcome]
ADDRESS = "unsubscribe@mail.example.com"
NUMBER = "+49 170 1234567"


@pytest.fixture(autouse=True)
def house(settings: Any, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    settings.UNSUBSCRIBE_ADDRESS, settings.INBOUND_SECRETS = ADDRESS, ["old", "new"]
    monkeypatch.setattr(clock, "now", lambda: now)


def state_of(profile: Profile, topic: str = "news", channel: str = "email") -> str | None:
    found = states.of([profile.id], topic, channel).get(profile.id)
    return found.state if found else None


def token(profile: Profile, topic: str = "news") -> str:
    return links.unsubscribe_url(profile, topic, "email", None).rstrip("/").rpartition("/")[2]


def mail(subject: str, *more: str, to: str = ADDRESS, text: str = "") -> bytes:
    lines = [f"To: {to}", "From: Somebody Else <mallory@example.net>", f"Subject: {subject}", *more, "", text]
    return "\r\n".join(lines).encode()


def take(raw: bytes, now: datetime, to: str = "") -> list[str]:
    return inbound.receive(inbound.parse(raw, to=to), now=now)


# ── UN-10 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_UN10_the_header_carries_one_https_address_and_a_mail_with_the_token(ada: Profile, now: datetime) -> None:
    url = links.unsubscribe_url(ada, "news", "email", None)
    web, mailto = (each.strip("<>") for each in links.list_unsubscribe(url).split(", "))
    parts = urlsplit(mailto)
    assert (web, parts.scheme, parts.path) == (url, "mailto", ADDRESS)
    assert parse_qs(parts.query)["subject"] == [f"unsubscribe {url.rstrip('/').rpartition('/')[2]}"]


def test_without_an_address_for_it_the_header_is_the_link_alone(ada: Profile, settings: Any) -> None:
    settings.UNSUBSCRIBE_ADDRESS = ""
    url = links.unsubscribe_url(ada, "news", "email", None)
    assert links.list_unsubscribe(url) == f"<{url}>"
    raw = mail(f"unsubscribe {token(ada)}")
    assert take(raw, clock.now()) == []


def test_UN10_the_token_counts_whoever_the_mail_says_it_is_from(
    ada: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    header = links.list_unsubscribe(links.unsubscribe_url(ada, "news", "email", None))
    subject = unquote(header.partition("subject=")[2].rstrip(">"))
    assert take(mail(subject), now) == ["Somebody unsubscribed by mail."]
    row = ConsentRecord.objects.latest("seq")
    assert (state_of(ada), row.source, row.actor) == ("denied", "one_click", "customer")
    assert ConsentEvidence.objects.get(record=row.id).data == {"method": "mailto"}
    take(mail(subject), now)
    assert ConsentRecord.objects.count() == 2  # delivered twice, it is one refusal
    assert not Reply.objects.exists()


@pytest.mark.parametrize("how", ["in the address", "folded", "encoded", "behind Re:"])
def test_UN10_the_token_is_found_however_mail_programs_write_it(
    ada: Profile, news: Topic, decide: Decide, now: datetime, how: str
) -> None:
    decide(ada, "news", "granted")
    mark = token(ada)
    encoded = base64.b64encode(f"unsubscribe {mark}".encode()).decode()
    raw = {
        "in the address": mail("Hello", to=f"unsubscribe+{mark}@mail.example.com"),
        "folded": mail(f"unsubscribe\r\n {mark[:40]}\r\n {mark[40:]}"),
        "encoded": mail(f"=?utf-8?b?{encoded}?="),
        "behind Re:": mail(f"Re: unsubscribe {mark}."),
    }[how]
    assert take(raw, now) == ["Somebody unsubscribed by mail."]
    assert state_of(ada) == "denied"


@pytest.mark.parametrize("header", ["Auto-Submitted: auto-replied", "Precedence: bulk", "Return-Path: <>"])
def test_EM05_what_a_program_wrote_unsubscribes_nobody(
    ada: Profile, news: Topic, decide: Decide, now: datetime, header: str
) -> None:
    decide(ada, "news", "granted")
    (said,) = take(mail(f"unsubscribe {token(ada)}", header), now)
    assert "nothing was done" in said
    assert (state_of(ada), Reply.objects.count()) == ("granted", 0)


def test_UN10_without_a_good_token_it_is_kept_once_for_staff_and_nothing_is_done(
    ada: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    broken = token(ada)[:-3] + "xxx"
    for raw in (mail("Please stop this", text="I want no more."), mail(f"unsubscribe {broken}")) * 2:
        assert "kept for staff" in take(raw, now)[0]
    assert state_of(ada) == "granted"
    deep = mail("Hello").replace(b"From: Somebody Else", b"From: " + b"(" * 5_000)
    assert "kept for staff" in take(deep, now)[0]
    Reply.objects.get(sender="").delete()
    first = Reply.objects.get(said__startswith="Please stop this")
    assert (first.sender, first.said) == ("mallory@example.net", "Please stop this\n\nI want no more.")
    assert Reply.objects.count() == 2


def test_TK02_a_token_for_something_else_unsubscribes_nobody(
    ada: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(ada, "news", "granted")
    made = [
        tokens.make("preferences", profile=ada.id, epoch=0, at=now),
        tokens.make("less", profile=ada.id, epoch=0, at=now),
        tokens.make("inert", topic="news", channel="email"),
        tokens.make("confirm", request=ada.id, at=now),
    ]
    for one in made:
        take(mail(f"unsubscribe {one}"), now)
    assert state_of(ada) == "granted"


def test_a_mail_to_somebody_else_is_none_of_our_business(ada: Profile, news: Topic, now: datetime) -> None:
    assert take(mail(f"unsubscribe {token(ada)}", to="hello@mail.example.com"), now) == []
    assert not Reply.objects.exists()


def test_UN05_a_mail_of_somebody_who_was_erased_is_taken_in_peace(ada: Profile, news: Topic, now: datetime) -> None:
    raw = mail(f"unsubscribe {token(ada)}")
    Profile.objects.filter(id=ada.id).delete()
    assert take(raw, now) == ["Somebody who is no longer known unsubscribed by mail."]


def test_the_command_reads_what_a_mail_server_pipes_into_it(
    ada: Profile, news: Topic, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(ada, "news", "granted")
    raw = mail(f"unsubscribe {token(ada)}", to="undisclosed")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
    said = io.StringIO()
    call_command("inbound", to=ADDRESS, sender="mallory@example.net", stdout=said)
    assert said.getvalue() == "Somebody unsubscribed by mail.\n"
    assert state_of(ada) == "denied"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"x" * (inbound.MOST_BYTES + 1))))
    with pytest.raises(SystemExit) as end:
        call_command("inbound", stdout=said, stderr=said)
    assert end.value.code == 65


# ── The doors ────────────────────────────────────────────────────────────────────────────────────────────────────────
def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"provider:{secret}".encode()).decode()


@pytest.mark.parametrize("path", ["/inbound/mail/", "/inbound/sms/"])
def test_the_doors_open_to_whoever_has_a_secret(client: Client, path: str, settings: Any, db: None) -> None:
    for said in ("", "Basic !", basic("wrong"), "Bearer wrong", "Bearer", "Other new", "Basic bmV3"):
        headers = {"authorization": said} if said else {}
        assert client.post(path, {"From": NUMBER}, headers=headers).status_code == 401
    for said in (basic("new"), basic("old"), "Bearer new"):
        assert client.get(path, headers={"authorization": said}).status_code == 405
    settings.INBOUND_SECRETS = []
    assert client.post(path, headers={"authorization": "Bearer "}).status_code == 404
    assert not Reply.objects.exists()


@pytest.mark.parametrize("how", ["raw", "form", "file", "json"])
def test_UN10_a_provider_hands_in_a_mail_in_its_own_way(
    client: Client, ada: Profile, news: Topic, decide: Decide, how: str
) -> None:
    decide(ada, "news", "granted")
    raw, headers = mail(f"unsubscribe {token(ada)}"), {"authorization": basic("new")}
    upload = io.BytesIO(raw)
    upload.name = "mail.eml"
    answer = {
        "raw": lambda: client.post("/inbound/mail/", raw, content_type="message/rfc822", headers=headers),
        "form": lambda: client.post("/inbound/mail/", {"body-mime": raw.decode()}, headers=headers),
        "file": lambda: client.post("/inbound/mail/", {"email": upload}, headers=headers),
        "json": lambda: client.post(
            "/inbound/mail/", {"RawEmail": raw.decode()}, content_type="application/json", headers=headers
        ),
    }[how]()
    assert answer.json() == {"done": ["Somebody unsubscribed by mail."]}
    assert state_of(ada) == "denied"


@pytest.mark.parametrize("how", ["raw", "form", "parts", "json"])
def test_UN10_a_mail_with_a_photo_is_taken_in_every_way_and_none_larger_than_may_be(
    client: Client, ada: Profile, news: Topic, decide: Decide, how: str
) -> None:
    decide(ada, "news", "granted")
    photo = ("/9j/" * 19 + "\r\n") * 20_000
    raw, headers = mail(f"unsubscribe {token(ada)}", text=photo), {"authorization": basic("new")}
    kind = {"raw": "message/rfc822", "form": "application/x-www-form-urlencoded", "json": "application/json"}
    body: Any = {"raw": raw, "form": urlencode({"email": raw}), "json": {"raw": raw.decode()}}.get(how)

    def send(body: Any) -> Any:
        return client.post("/inbound/mail/", body, content_type=kind[how], headers=headers)

    if how == "parts":
        fields = {"recipient": ADDRESS, "email": raw.decode(), "attachments": "0"}
        assert client.post("/inbound/mail/", fields, headers=headers).json()["done"]
    else:
        assert send(body).json() == {"done": ["Somebody unsubscribed by mail."]}
        if how == "raw":
            assert send(b"x" * 20_000_001).status_code == 413
    assert state_of(ada) == "denied"


def test_the_doors_say_what_is_missing(client: Client, db: None) -> None:
    headers = {"authorization": "Bearer new"}
    for path, data in (("/inbound/mail/", b""), ("/inbound/sms/", b"[1]"), ("/inbound/sms/", b"{")):
        answer = client.post(path, data, content_type="application/json", headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]


# ── CO-18 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
STOPS = [
    "STOP", "stop", "Stop.", " stop ", "STOP!!!", "s t o p", "S.T.O.P.", "ＳＴＯＰ", "STOP 🛑",
    "🛑 stop 🛑", '"stop"', "stop\n", "STOP STOP STOP", "stop all", "STOPALL", "please stop",
    "Stop it", "Quit", "END", "end.", "Revoke", "OPT OUT", "opt-out", "OptOut", "opt\u00a0out",
    "Cancel", "UNSUBSCRIBE", "unsubscribe me please", "Remove", "Stopp", "Abmelden!", "ABBESTELLEN",
    "Bitte abmelden", "Ende", "kündigen", "Widerruf", "ARRÊT", "arret", "Désabonner",
    "désinscription", "fin", "stop svp", "BAJA", "baja por favor", "Cancelar", "alto", "Parar",
    "dar de baja",
]  # fmt: skip


@pytest.mark.parametrize("text", STOPS)
def test_CO18_words_for_stopping_are_understood_however_they_are_written(text: str) -> None:
    assert says_stop(text)


@pytest.mark.parametrize(
    "text",
    ["", "🛑", "Thanks!", "When does it end?", "Stop by on Friday", "non-stop", "Endlich!", "Finance", "please", "all",
     "I stopped", "nostop", "cancel my order", "STOP" * 50, "x" * 10_000],
)  # fmt: skip
def test_CO18_what_may_mean_something_else_is_left_to_staff(text: str) -> None:
    assert not says_stop(text)


def text_us(client: Client, text: str, number: str = NUMBER, **more: str) -> Any:
    asked = {"From": number, "Body": text, **more}
    return client.post("/inbound/sms/", asked, headers={"authorization": "Bearer new"}).json()


@pytest.fixture
def texter(ada: Profile) -> Profile:
    Profile.objects.filter(id=ada.id).update(phone="+491701234567", locale="de")
    return Profile.objects.get(id=ada.id)


def test_CO18_stop_counts_at_once_for_all_text_messages_and_is_confirmed_once(
    client: Client, texter: Profile, news: Topic, decide: Decide
) -> None:
    decide(texter, "news", "granted")
    decide(texter, "news", "granted", "sms")
    answer = text_us(client, "Stop!")
    assert answer["done"] == "stopped"
    assert answer["answer"].startswith("Sie bekommen von uns keine SMS mehr.")
    assert (state_of(texter, channel="sms"), state_of(texter)) == ("denied", "granted")
    assert text_us(client, "STOP") == {"done": "known", "answer": ""}
    assert {row.source for row in ConsentRecord.objects.filter(state="denied")} == {"reply"}
    decide(texter, "news", "granted", "sms")
    assert text_us(client, "STOP")["answer"]  # they had agreed anew


def test_CO18_stop_counts_for_everybody_with_the_number_however_it_is_spelt(
    client: Client, texter: Profile, news: Topic, now: datetime
) -> None:
    spelt = ["+49 (170) 123-4567", "0049 170/1234567", "491701234567", "+49.170.1234567", *["+491701234567"] * 21]
    others = [Profile(phone=one, first_seen_at=now, last_seen_at=now) for one in spelt]
    stranger = Profile(phone="+49 170 12345678", first_seen_at=now, last_seen_at=now)
    Profile.objects.bulk_create([*others, stranger])
    assert text_us(client, "STOP")["done"] == "stopped"
    assert {state_of(each, channel="sms") for each in (texter, *others)} == {"denied"}
    assert state_of(stranger, channel="sms") is None


def test_CO18_half_a_letter_in_a_text_message_loses_no_stop(client: Client, texter: Profile) -> None:
    headers = {"authorization": "Bearer new"}
    for text, done in (("STOP \\ud83d", "stopped"), ("Hello \\ud83d", "kept")):
        raw = f'{{"from": "{NUMBER}", "text": "{text}", "id": "\\udc00"}}'
        answer = client.post("/inbound/sms/", raw, content_type="application/json", headers=headers)
        assert answer.json()["done"] == done
    assert Reply.objects.get().said == "Hello ?"


def test_CO18_a_number_that_nobody_is_known_by_is_blocked(client: Client, db: None, now: datetime) -> None:
    assert text_us(client, "STOP")["done"] == "stopped"
    assert text_us(client, "STOP")["done"] == "known"
    (row,) = suppression.find("sms", ["0049 170 1234567".replace("00", "+", 1)]).popitem()[1]
    assert (row.reason, row.scope) == ("stopped", "marketing")


def test_CO18_CO27_stop_holds_for_whoever_is_made_with_the_number_later_until_they_say_yes_after_a_no(
    client: Client, texter: Profile, person: Any, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(texter, "news", "granted", "sms")
    assert text_us(client, "STOP")["done"] == "stopped"
    answers.erase(texter)
    texter.delete()
    later = person("later", phone="0049 170 / 123 45 67")
    for source in ("import", "page"):
        decide(later, "news", "granted", "sms", source=source)
    assert "stopped" in {row.reason for row in suppression.find("sms", [str(later.phone)])[str(later.phone)]}
    shown = client.get(urlsplit(links.preferences_url(later, now)).path).content.decode()
    assert "You wrote “stop” from your number" in shown
    decide(later, EVERYTHING, "denied", "sms")
    decide(later, "news", "granted", "sms", source="import")  # nobody else can take it back
    assert "stopped" in {row.reason for row in suppression.find("sms", [NUMBER])[NUMBER]}
    decide(later, "news", "granted", "sms")
    assert "stopped" not in {row.reason for row in suppression.find("sms", [NUMBER])[NUMBER]}


def test_CO18_a_number_without_its_country_is_the_same_where_the_country_is_known(
    client: Client, texter: Profile, person: Any, news: Topic, settings: Any, now: datetime
) -> None:
    within = person("within", phone="0170 1234567")
    settings.PHONE_COUNTRY_CODE = ""
    suppression.add("sms", "0170 1234567", Suppression.Reason.MANUAL, now, Suppression.Scope.ALL)
    settings.PHONE_COUNTRY_CODE = "49"
    assert text_us(client, "STOP")["done"] == "stopped"
    assert {state_of(each, channel="sms") for each in (texter, within)} == {"denied"}
    found = suppression.find("sms", ["0170/1234567", NUMBER])
    assert {row.reason for row in found["0170/1234567"]} == {"manual", "stopped"}  # also what was kept before
    assert [row.reason for row in found[NUMBER]] == ["stopped"]
    assert sms.number("0170/1234567") == "+491701234567"


def test_CO18_twilio_gets_the_answer_in_its_own_form(client: Client, texter: Profile) -> None:
    asked, headers = {"From": NUMBER, "Body": "STOP"}, {"authorization": basic("new")}
    answers = [client.post("/inbound/sms/?answer=twiml", asked, headers=headers).content.decode() for _ in range(2)]
    assert answers[0].startswith("<Response><Message>Sie bekommen")
    assert answers[1] == "<Response></Response>"


def test_CO18_anything_else_waits_for_staff_and_nothing_goes_out_meanwhile(
    client: Client, texter: Profile, news: Topic, decide: Decide, now: datetime
) -> None:
    decide(texter, "news", "granted", "sms")
    for _ in range(2):
        assert text_us(client, "I want no more of that", MessageSid="SM1") == {"done": "kept", "answer": ""}
    row = Reply.objects.get()
    assert [each.reason for each in suppression.find("sms", [NUMBER])[NUMBER]] == ["review"]
    replies.close(row.id, outcome="nothing", now=now)
    assert not suppression.find("sms", [NUMBER])[NUMBER]
    with pytest.raises(Conflict, match="read before"):
        replies.close(row.id, outcome="stopped", now=now)
    text_us(client, "Enough, really")
    replies.close(Reply.objects.get(closed_at=None).id, outcome="stopped", now=now)
    assert state_of(texter, channel="sms") == "denied"
    assert AuditEntry.objects.filter(kind="reply").count() == 2


# ── What staff see, and how long it is kept ──────────────────────────────────────────────────────────────────────────
def test_staff_read_it_and_take_it_as_a_no(admin_client: Client, ada: Profile, news: Topic, now: datetime) -> None:
    take(mail("Genug", text="Bitte nichts mehr.").replace(b"mallory@example.net", b"ADA@example.com"), now)
    row = Reply.objects.get()
    page = f"/admin/consent/reply/{row.id}/change/"
    listed = admin_client.get("/admin/consent/reply/").content.decode()
    shown = admin_client.get(page).content.decode()
    assert "To read" in listed
    assert "Bitte nichts mehr." in shown
    assert "Anybody can write any address" in shown
    answer = admin_client.post(page, {"verb": "stopped"}, follow=True)
    assert "Taken as a no." in answer.content.decode()
    assert state_of(ada, EVERYTHING) == "denied"


def test_ER01_what_somebody_wrote_goes_with_them_and_what_was_read_goes_in_time(
    client: Client, texter: Profile, now: datetime
) -> None:
    text_us(client, "Hello?", number="+491701234567")
    text_us(client, "Who is this?", number="+33123456789")
    answers.erase(texter)
    left = Reply.objects.get()
    assert left.sender == "+33123456789"
    replies.close(left.id, outcome="nothing", now=now)
    forgetting.forget(now + timedelta(days=29))
    assert Reply.objects.exists()
    forgetting.forget(now + timedelta(days=30))
    assert not Reply.objects.exists()
    assert not Suppression.objects.filter(reason="review").exists()
