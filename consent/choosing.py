"""What people do on their pages: each act whole or not at all, told back to them, and taken back if they wish."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from consent import ledger, optins, states, subjects, tokens
from consent.fold import Decision, folded
from consent.ledger import EVERYTHING, Choice
from consent.models import ConsentRecord, OptIn, State, Subject, Topic
from consent.wordings import Wordings
from foundation.errors import Conflict
from profiles.models import Profile

Key = tuple[str, str]
"""A topic and a channel."""
Source = ConsentRecord.Source


@dataclass(frozen=True, slots=True)
class Act:
    """What an act did: what changed, what would turn something on and was held back, and what takes it back.

    `stale`: agreed to on a page that was older than a refusal. `unproven`: agreed to by a link too old for that.
    `requested`: agreed to, and to be confirmed by mail before it counts.
    """

    changed: tuple[tuple[Key, str], ...] = ()
    stale: tuple[Key, ...] = ()
    unproven: tuple[Key, ...] = ()
    requested: tuple[Key, ...] = ()
    undo: str = ""


@dataclass(slots=True)
class _Asked:
    """What was asked for, sorted by what may be done at once."""

    choices: list[Choice] = field(default_factory=list)
    stale: list[Key] = field(default_factory=list)
    unproven: list[Key] = field(default_factory=list)
    requested: list[Key] = field(default_factory=list)


def seen(profile: Profile) -> str:
    """How far the person's ledger goes: a page bears it, so that what it sends back can be told to be out of date."""
    refs = Subject.objects.filter(profile=profile, current=True).values("ref")
    last = ConsentRecord.objects.filter(subject_ref__in=refs).order_by("-seq").first()
    return f"{last.subject_ref}:{last.seq}" if last else ""


def choose(
    profile: Profile, wanted: Mapping[Key, str], *, seen: str, may_agree: bool, words: Wordings, now: datetime
) -> Act:
    """Records what differs from what stands. A refusal counts at once, whatever link or page it came by."""
    with transaction.atomic():
        subjects.lock_to_write([profile.id], now)
        asked = _sorted(profile, wanted, seen, may_agree, words, now)
        if asked.requested:
            _request(profile, asked.requested, words, now)
        rows = _rows(ledger.record(asked.choices, now=now))
    return replace(_act(rows, now, stale=asked.stale, unproven=asked.unproven), requested=tuple(asked.requested))


def _request(profile: Profile, keys: Sequence[Key], words: Wordings, now: datetime) -> None:
    wanted = [optins.Wanted(*key, words.of_choice(*key, State.GRANTED)) for key in keys]
    evidence = {"page": "preferences", "control": "Save"}
    optins.ask(profile, wanted, by=OptIn.By.PAGE, locale=words.locale, evidence=evidence, now=now)


def stop(
    profile: Profile,
    topic: str,
    channel: str,
    *,
    source: str,
    evidence: dict[str, Any],
    words: Wordings,
    message: UUID | None = None,
    now: datetime,
) -> Act:
    """Refuses a topic on a channel, or with `EVERYTHING` all that is not needed for what the person uses."""
    choice = Choice(
        profile_id=profile.id,
        topic=topic,
        channel=channel,
        state=State.DENIED,
        source=source,
        wording=words.of_stop(topic, channel),
        locale=words.locale,
        evidence=evidence,
        message=message,
    )
    return _act(_rows(ledger.record([choice], now=now)), now)


def undo(token: str, *, page: str, words: Wordings, now: datetime) -> tuple[Profile, Act]:
    """Takes back the act that the token was made for, as far as nothing was decided since. A new act of the person."""
    values = tokens.read("undo", token, now=now)
    subject = Subject.objects.filter(ref=values["subject"], current=True).first() if values else None
    if values is None or subject is None:
        raise Conflict(_("This can be undone for an hour only, and that is over. Your choices are as you left them."))
    with transaction.atomic():
        subjects.lock_to_write([subject.profile_id], now)
        choices = list(_reversed(subject, values["first"], values["last"], page, words))
        rows = _rows(ledger.record(choices, now=now))
    return subject.profile, _act(rows, now)


def _sorted(
    profile: Profile, wanted: Mapping[Key, str], seen: str, may_agree: bool, words: Wordings, now: datetime
) -> _Asked:
    standing = states.find(((profile.id, *key) for key in wanted), now=now)
    newer = _newer_than(seen, [found.record for found in standing.values()])
    to_confirm = set(Topic.objects.filter(double_opt_in=True).values_list("slug", flat=True))
    asked = _Asked()
    for key, state in wanted.items():
        found = standing.get((profile.id, *key))
        if found and found.state == state:
            continue
        if state == State.GRANTED and not may_agree:
            asked.unproven.append(key)
        elif state == State.GRANTED and found and found.record in newer:
            asked.stale.append(key)
        elif state == State.GRANTED and key[0] in to_confirm:
            asked.requested.append(key)
        else:
            evidence = {"page": "preferences", "control": "Save"}
            asked.choices.append(_of_the_page(profile.id, key, state, evidence, words))
    return asked


def _newer_than(seen: str, records: Iterable[UUID]) -> set[UUID]:
    """Those of the records that were not there yet when the page was made."""
    ref, _, seq = seen.partition(":")
    rows = ConsentRecord.objects.filter(id__in=list(records)).values_list("id", "subject_ref", "seq")
    last = int(seq) if seq.isdigit() and len(seq) < 10 else 0
    return {id for id, subject, place in rows if str(subject) != ref or place > last}


def _of_the_page(profile: UUID, key: Key, state: str, evidence: dict[str, Any], words: Wordings) -> Choice:
    topic, channel = key
    return Choice(
        profile_id=profile,
        topic=topic,
        channel=channel,
        state=state,
        source=Source.PAGE,
        wording=words.of_choice(topic, channel, state),
        locale=words.locale,
        evidence=evidence,
    )


def _reversed(subject: Subject, first: int, last: int, page: str, words: Wordings) -> Iterable[Choice]:
    chain = ConsentRecord.objects.filter(subject_ref=subject.ref).order_by("seq")
    rows = list(chain.filter(seq__lte=last))
    standing = set(subject.profile.consents.values_list("record", flat=True))
    bases = dict(Topic.objects.values_list("slug", "basis"))
    for row in rows:
        if row.seq < first or row.id not in standing:  # not of this act, or decided anew since
            continue
        key = (row.topic, row.channel)
        before = folded(Decision.of(r) for r in rows if r.seq < first and (r.topic, r.channel) == key)
        state = _before(row, before.state if before else None, bases)
        if state != row.state:
            yield _of_the_page(subject.profile_id, key, state, _undoes(page, row), words)


def _before(row: ConsentRecord, before: str | None, bases: Mapping[str, str]) -> str:
    """What stood before the row, in the two words that the ledger has for it."""
    if before is not None:
        return State.DENIED if before == State.EXPIRED else before  # what ran out comes back by a yes of their own only
    # They had said nothing. That is a yes only where it was never needed: a refusal of everything is lifted so, too.
    silent = row.topic == EVERYTHING or bases.get(row.topic, Topic.Basis.CONSENT) != Topic.Basis.CONSENT
    return State.GRANTED if silent else State.DENIED


def _undoes(page: str, row: ConsentRecord) -> dict[str, Any]:
    return {"page": page, "control": "Undo", "undoes": str(row.id)}


def _rows(outcomes: Sequence[ledger.Outcome]) -> list[ConsentRecord]:
    return [row for outcome in outcomes for row in outcome.rows]


def _act(
    rows: Sequence[ConsentRecord], now: datetime, *, stale: Sequence[Key] = (), unproven: Sequence[Key] = ()
) -> Act:
    token = (
        tokens.make("undo", subject=rows[0].subject_ref, first=rows[0].seq, last=rows[-1].seq, at=now) if rows else ""
    )
    changed = tuple(((row.topic, row.channel), row.state) for row in rows)
    return Act(changed, tuple(stale), tuple(unproven), undo=token)
