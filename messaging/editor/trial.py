"""A test: what is under way, sent to a member of staff; it changes no consent, counts nowhere, and says what it is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from consent import links, preferences, states
from consent.models import Topic
from foundation.errors import Conflict
from messaging import brands, building, rendering
from messaging.delivery import CHANNELS, Accepted, Envelope, InDoubt, Later, Letter, Returned, Unreachable
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


def addresses() -> list[User]:
    """The staff to whom a test can be sent."""
    found = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    return list(found.order_by("username"))


def send(draft: Draft, reading: Reading, topic: Topic, profile: Profile | None, to: User, *, now: datetime) -> Told:
    """Sends it now, filled in for the person; `Conflict` with a sentence where it cannot go."""
    if not draft.form.framed:
        raise Conflict("A test goes to staff by email alone; the channel itself is tried out on the page Channels.")
    person = profile or samples.made_up()
    otherwise = _judged(draft, topic, person, to.email, now)
    letter = _letter(draft, reading, topic, profile, to.email)
    try:
        with CHANNELS[draft.channel]().line() as line:
            outcome = line.send(letter)
    except Unreachable as error:
        raise Conflict(str(error)) from error
    match outcome:
        case Later(reason) | Returned(reason) | InDoubt(reason):
            raise Conflict(reason)
        case Accepted():
            summary = f"Sent a test of the template {draft.name or draft.slug} to {to.get_username()}."
            audit.record("template.tested", "template", draft.slug, summary, topic=topic.slug)
    return Told(to.email, otherwise)


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
        subject=MARK + filled.subject,
        html=filled.html,
        text=filled.text,
        headers={**channel.headers(envelope), HEADER: "yes"},
    )
