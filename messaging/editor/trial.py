"""A test: what is under way, sent where a member of staff says; it changes no consent, counts nowhere, and says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.db import transaction

from consent import links, preferences, states
from consent.models import Topic
from foundation.errors import Conflict
from messaging import brands, building, outbox, rendering, wiring
from messaging.delivery import CHANNELS, Accepted, Channel, Envelope, InDoubt, Later, Letter, Returned, Unreachable
from messaging.editor import samples, showing
from messaging.editor.reading import Draft, Reading
from messaging.judging import Candidate, judge
from messaging.liquid import Unsayable
from messaging.models import Message, Template, TemplateVersion
from profiles.models import Profile
from staff import audit
from staff.models import User

MARK = "[Test] "
HEADER = "X-Cairn-Test"
_OF_THE_ADDRESS = ("address", "suppression")  # where it really goes; the others speak of whom it is filled in for


@dataclass(frozen=True)
class Told:
    """Where it went, and what would have held it back, were it no test."""

    to: str
    otherwise: str = ""


@dataclass(frozen=True)
class Asks:
    """What a test must be told: `label` is "" where the channel knows itself where to go."""

    label: str
    value: str = ""
    suggestions: Sequence[str] = ()


def asks(channel: str, user: User, person: Profile | None) -> Asks:
    """What is asked of whoever sends a test by the channel, with what is likely."""
    known = CHANNELS[channel]
    if channel == "email":
        staff = User.objects.filter(is_active=True, is_staff=True).exclude(email="").order_by("username")
        return Asks(known.test_to, user.email, list(staff.values_list("email", flat=True)[:50]))
    by_id = known.tries_on_person or channel == "web_push"
    return Asks(known.test_to, (person.external_id or "") if person and by_id else "")


def send(
    draft: Draft,
    reading: Reading,
    topic: Topic,
    profile: Profile | None,
    to: str,
    template: Template | None,
    *,
    now: datetime,
) -> Told:
    """Sends it now, filled in for the person; `Conflict` with a sentence where it cannot go.

    `template` is what is stored of it, if anything is: a test that lies with a person stands beside other messages.
    """
    channel = CHANNELS[draft.channel]
    if lack := wiring.wired(draft.channel).lack(channel):
        raise Conflict(f"The channel {channel.label} {lack}.")
    tried_on = _somebody(to) if channel.tries_on_person else None
    to = _where(channel, to, profile)
    otherwise = _judged(draft, topic, tried_on or profile or samples.made_up(), to, now)
    letter = _letter(draft, reading, topic, tried_on or profile, to)
    if tried_on is None:
        _hand_over(channel, letter)  # while no transaction is open: it may take its time
    with transaction.atomic():
        if tried_on is not None:
            _lay_before(tried_on, channel, letter, topic, template, now)
        summary = f"Sent a test of the template {draft.name or draft.slug} by {channel.label}."
        audit.record("template.tested", "template", draft.slug, summary, topic=topic.slug)
    return Told(channel().told(to), otherwise)


def _lay_before(
    person: Profile, channel: type[Channel], letter: Letter, topic: Topic, template: Template | None, now: datetime
) -> None:
    if template is None:
        raise Conflict("Save it first: what lies with a person is a message of a template that there is.")
    outbox.place_test(letter, person, topic, template, now=now)
    _hand_over(channel, letter)


def _somebody(id: str) -> Profile:
    found = Profile.objects.filter(external_id=id.strip()).first() if id.strip() else None
    if found is None:
        raise Conflict("Say on whom to try it: the id of somebody whom we know, as your own systems have it.")
    return found


def _where(channel: type[Channel], to: str, profile: Profile | None) -> str:
    """Where it goes; a channel that knows itself is told of whoever it is filled in for."""
    found = to.strip() if channel.test_to else (profile and profile.external_id) or "test"
    if not channel().takes(found):
        raise Conflict(f"Say where it is to go: {channel.test_to[:1].lower()}{channel.test_to[1:]}.")
    return found


def _hand_over(channel: type[Channel], letter: Letter) -> None:
    try:
        with channel().line() as line:
            outcome = line.send(letter)
    except Unreachable as error:
        raise Conflict(str(error)) from error
    match outcome:
        case Later(reason) | Returned(reason) | InDoubt(reason):
            raise Conflict(reason)
        case Accepted():
            return


def _judged(draft: Draft, topic: Topic, person: Profile, address: str, now: datetime) -> str:
    """Asks the one judge. What speaks against the address stops a test, too; the rest is told."""
    message = Message(
        id=uuid4(), channel=draft.channel, topic=topic, template=Template(slug=draft.slug, name=draft.name), due_at=now
    )
    consent = states.of([person.id], topic.slug, draft.channel).get(person.id)
    wishes = preferences.of([person.id])[person.id]
    [judged] = judge([Candidate(message, person, topic, address, consent, wishes)], now).values()
    reason = getattr(judged.verdict, "reason", "")
    if judged.guardrail in _OF_THE_ADDRESS:
        raise Conflict(f"Nothing may be sent to {address}, not even a test: {reason.replace(f' of {person}', '')}")
    return reason


def _letter(draft: Draft, reading: Reading, topic: Topic, profile: Profile | None, address: str) -> Letter:
    person = profile or samples.made_up()
    brand, channel = brands.current(), CHANNELS[draft.channel]()
    blocks, held = reading.written.blocks, reading.held
    compiled = building.compile_said(draft.form, blocks, held)
    version = TemplateVersion(
        subject=draft.subject, blocks=blocks, snippets=held, html=compiled.html, text=compiled.text
    )
    values = samples.values(person, topic, draft.channel, brand, showing.shown_to(version, profile))
    try:
        filled = rendering.fill(version, values, samples.zone(person))
    except Unsayable as unsayable:
        raise Conflict(str(unsayable)) from unsayable
    inert = links.inert_urls(topic.slug, draft.channel)["unsubscribe"]
    domain = brand.sender_address.rpartition("@")[2]
    id = uuid4()
    envelope = Envelope(topic.slug, topic.transactional, "test", domain, "" if topic.transactional else inert)
    return Letter(
        id=id,
        channel=draft.channel,
        message_id=f"<test-{id}@{domain}>",
        sender=rendering.sender(brand),
        address=address,
        subject=MARK + filled.subject if draft.form.has_subject else "",
        html=filled.html,
        text=filled.text if draft.form.has_subject else MARK + filled.text,
        headers={**channel.headers(envelope), **({HEADER: "yes"} if draft.form.framed else {})},
        options={**draft.options, "test": True},
    )
