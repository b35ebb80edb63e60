"""What became of clicks: raw hits are kept, told apart, and only those of people are told on.

Programs that look for malware follow links too, before anybody reads the mail. A hit is judged a little later, when it
can be seen in what company it came; the judgement rests on what is kept, and can be made anew.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from messaging import agents, outcomes, seen
from messaging.agents import AT_ONCE
from messaging.models import Hit, Link, Message, MessageState
from messaging.seen import Seen, Visit
from messaging.tracking import TRAP
from profiles import ingest

_NEAR = timedelta(minutes=1)
"""How close to a program's visit of the trap whatever comes is a program's too, as what it calls itself may change."""


def record(link: Link, visit: Visit) -> None:
    """Keeps that a link was followed, if the person still agrees to that."""
    seen.keep(link.hits, link.message, visit)


def tick(now: datetime) -> int:
    """Judges the hits whose company is known by now, and tells of those that people made; how many were judged."""
    return seen.until_none(_judge_some, now)


def _judge_some(now: datetime) -> int:
    """Nothing is held meanwhile: two who judge the same find the same, and what is told twice is told once."""
    with transaction.atomic():
        waiting = Hit.objects.filter(kind="", at__lte=now - AT_ONCE).exclude(link__message__state=MessageState.SENDING)
        hits = list(
            waiting.select_related("link__message__topic", "link__message__template").order_by("at", "id")[: seen.BATCH]
        )
        kinds = kinds_of({hit.link.message_id for hit in hits})
        tell([hit for hit in hits if kinds.get(hit.id) == Hit.Kind.HUMAN], now)
        for kind in Hit.Kind:
            Hit.objects.filter(id__in=[hit.id for hit in hits if kinds.get(hit.id) == kind]).update(kind=kind)
        _take_back(kinds)
    return len(hits)


def _take_back(kinds: dict[int, Hit.Kind]) -> None:
    """What was taken for a person's before its maker walked into the trap counts no more."""
    programs = [id for id, kind in kinds.items() if kind == Hit.Kind.BOT]
    wrong = Hit.objects.filter(id__in=programs, kind=Hit.Kind.HUMAN)
    messages = {hit.link.message_id for hit in wrong.select_related("link")}
    if messages:
        wrong.update(kind=Hit.Kind.BOT)
        seen.fall_back(messages)


def tell(hits: Sequence[Hit], now: datetime) -> None:
    """Tells on what people followed."""
    seen.tell([Seen(hit.link.message, hit.at, _event(hit)) for hit in hits], MessageState.CLICKED, now)


def kinds_of(messages: Collection[UUID]) -> dict[int, Hit.Kind]:
    """Who made each hit on these messages, from what is kept of them; the same whenever it is asked."""
    if not messages:
        return {}
    rows = Hit.objects.filter(link__message__in=messages).select_related("link").order_by("at", "id")
    by_message: dict[UUID, list[Hit]] = defaultdict(list)
    for hit in rows:
        by_message[hit.link.message_id].append(hit)
    left = dict(Message.objects.filter(id__in=messages).values_list("id", "sent_at"))
    links: dict[Any, set[int]] = defaultdict(set)
    for message, place in Link.objects.filter(message__in=messages).values_list("message", "place"):
        links[message].add(place)
    return {
        hit.id: kind
        for message, hits in by_message.items()
        for hit, kind in zip(hits, told_apart(hits, links[message], left[message]), strict=True)
    }


def told_apart(hits: Sequence[Hit], links: Collection[int], left: datetime | None) -> list[Hit.Kind]:
    """For each hit on a message, in order of time, who made it; `links` are all its places, `left` is when it went."""
    machines = _sweeping(hits, set(links) - {TRAP}) | _trapped(hits)
    return [
        Hit.Kind.BOT
        if n in machines
        or hit.method != "GET"
        or hit.network
        or agents.is_program(hit.agent)
        or (left is not None and hit.at < left + AT_ONCE)
        else Hit.Kind.HUMAN
        for n, hit in enumerate(hits)
    ]


def _sweeping(hits: Sequence[Hit], links: set[int]) -> set[int]:
    """All links of a mail within two seconds: no person does that."""
    found: set[int] = set()
    for first, hit in enumerate(hits if len(links) > 1 else ()):
        near = [n for n in range(first, len(hits)) if hits[n].at - hit.at <= AT_ONCE]
        if {hits[n].link.place for n in near} >= links:
            found |= set(near)
    return found


def _trapped(hits: Sequence[Hit]) -> set[int]:
    """All that was done by whoever followed the link that no person sees: under the same name, or close to it.

    Not all that ever happens to the message: a program of somebody's company reads it first, and they do afterwards.
    """
    caught = [hit for hit in hits if hit.link.place == TRAP]
    return {n for n, hit in enumerate(hits) if any(_is_of_one(hit, one) for one in caught)}


def _is_of_one(hit: Hit, other: Hit) -> bool:
    return hit.agent == other.agent or abs(hit.at - other.at) <= _NEAR


def _event(hit: Hit) -> ingest.Ours | None:
    """At most one a minute and link, however often somebody presses."""
    place, told = hit.link.place, outcomes.event(hit.link.message, "clicked", hit.at)
    if told is None:
        return None
    address = hit.link.destination.partition("#")[0].partition("?")[0]  # what follows may name the person
    return ingest.Ours(
        told.profile_id,
        told.name,
        {**told.properties, "link": place, "url": address[:500]},
        hit.at,
        f"{told.message_id}:{place}:{hit.at:%Y%m%d%H%M}",
    )
