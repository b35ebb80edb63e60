"""Double opt-in: what somebody asked for counts once they confirmed it by the mail that we sent; the only writer of it.

Programs follow every link in a mail. So the link opens a page with one button, and only the button confirms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from consent import ledger, preferences, states, subjects, tokens
from consent.ledger import Choice
from consent.models import ConsentRecord, OptIn, State, Suppression, Topic
from consent.suppression import hash_of
from consent.wordings import channel_name
from foundation import registry
from foundation.errors import Conflict
from profiles import ingest
from profiles.ingest import Ours
from profiles.models import Profile

BIRTH = "born_on"  # what of the evidence is kept as theirs once they confirm, and goes into no proof
MAILS = 2  # the first, and once more


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic and channel that somebody asked for, and the words that they were shown when they did."""

    topic: str
    channel: str
    wording: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmation did: `granted`, and `refused` meanwhile, each as (topic, channel). `again`: it was before."""

    granted: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    again: bool = False


def ask(
    profile: Profile,
    wanted: Sequence[Wanted],
    *,
    by: str,
    locale: str,
    evidence: dict[str, Any],
    now: datetime,
    made_person: bool = False,
) -> OptIn:
    """Keeps what they asked for, tells of it (`$opt_in_requested`), and has the confirmation mailed to their address.

    Asked for once more while it is open, the same stays one request, and is mailed once more at most.
    """
    if not profile.email:
        raise Conflict(_("This is confirmed by email, and no email address of yours is known here."))
    choices = [{"topic": one.topic, "channel": one.channel, "wording": one.wording} for one in wanted]
    with transaction.atomic():
        subjects.lock_to_write([profile.id], now)
        asked = _open(profile, choices, now)
        if asked is None:
            asked = OptIn.objects.create(
                id=uuid4(),
                profile=profile,
                choices=choices,
                by=by,
                locale=locale,
                evidence=evidence,
                asked_at=now,
                made_person=made_person,
            )
            _tell(asked, now)
        elif asked.mails >= MAILS:
            return asked
        else:
            asked.mails += 1
            asked.save(update_fields=["mails"])
        link = settings.BASE_URL + reverse("consent:confirm", args=[tokens.make("confirm", request=asked.id, at=now)])
        registry.mail_notice.ask(profile, "confirm", {"what": ", ".join(names(asked)), "link": link})
    return asked


def names(asked: OptIn) -> list[str]:
    """What was asked for, as in `Product news (Email)`."""
    topics = dict(Topic.objects.values_list("slug", "name"))
    return [f"{topics.get(one['topic'], one['topic'])} ({channel_name(one['channel'])})" for one in asked.choices]


def confirm(id: UUID, *, now: datetime) -> Confirmed:
    """Makes consents of what was asked for. What they refused since stays refused: that was the later word."""
    with transaction.atomic():
        profile_id = OptIn.objects.values_list("profile", flat=True).get(id=id)
        subjects.lock_to_write([profile_id], now)
        asked = OptIn.objects.select_for_update(of=["self"]).select_related("profile").get(id=id)
        if asked.confirmed_at is not None:
            return Confirmed(again=True)
        later = _refused_since(asked, now)
        choices = [_choice(asked, one, now) for one in asked.choices if (one["topic"], one["channel"]) not in later]
        outcomes = ledger.record(choices, now=now)
        asked.confirmed_at = now
        asked.save(update_fields=["confirmed_at"])
        _let_in_again(asked.profile)
        if (born := asked.evidence.get(BIRTH)) and preferences.of([profile_id])[profile_id].born_on is None:
            preferences.save(profile_id, now=now, born_on=date.fromisoformat(born))
    granted = tuple((one.choice.topic, one.choice.channel) for one in outcomes if one.state == State.GRANTED)
    return Confirmed(granted, tuple(sorted(later)))


def waiting(profile: Profile, now: datetime) -> list[OptIn]:
    """What can still be confirmed, the newest last."""
    since = now - tokens.LIFETIMES["confirm"]
    return list(OptIn.objects.filter(profile=profile, confirmed_at=None, asked_at__gt=since).order_by("asked_at"))


def keys(asked: OptIn) -> set[tuple[str, str]]:
    return {(one["topic"], one["channel"]) for one in asked.choices}


def _open(profile: Profile, choices: Sequence[dict[str, str]], now: datetime) -> OptIn | None:
    wanted = {(one["topic"], one["channel"]) for one in choices}
    return next((row for row in waiting(profile, now) if keys(row) == wanted), None)


def _tell(asked: OptIn, now: datetime) -> None:
    events = [
        Ours(
            profile_id=asked.profile_id,
            name="$opt_in_requested",
            properties={"topic": one["topic"], "channel": one["channel"], "by": asked.by},
            occurred_at=now,
            message_id=f"opt-in:{asked.id}:{one['topic']}:{one['channel']}",
        )
        for one in asked.choices
    ]
    ingest.emit(events, now=now)


def _refused_since(asked: OptIn, now: datetime) -> set[tuple[str, str]]:
    return {
        (topic, channel)
        for (_profile, topic, channel), state in states.find(
            ((asked.profile_id, *key) for key in keys(asked)), now=now
        ).items()
        if state.state == State.DENIED and state.since > asked.asked_at
    }


def _choice(asked: OptIn, one: dict[str, str], now: datetime) -> Choice:
    evidence = {
        **{f"asked_{name}": value for name, value in asked.evidence.items() if name != BIRTH},
        "asked_by": asked.by,
        "asked_at": asked.asked_at.isoformat(),
        "page": "confirm",
        "control": "Confirm",
        "confirmed_at": now.isoformat(),
    }
    return Choice(
        profile_id=asked.profile_id,
        topic=one["topic"],
        channel=one["channel"],
        state=State.GRANTED,
        source=ConsentRecord.Source.DOUBLE_OPT_IN,
        wording=one["wording"],
        locale=asked.locale,
        evidence=evidence,
    )


def _let_in_again(profile: Profile) -> None:
    """Whoever was erased and comes back by their own will is written to again (ER-02)."""
    if profile.email:
        found = Suppression.objects.filter(channel="email", address_hash=hash_of(profile.email))
        found.filter(reason=Suppression.Reason.ERASED).delete()
