"""What became of clicks: raw hits are kept, told apart, and only those of people are told on.

Programs that look for malware follow links too, before anybody reads the mail. A hit is judged a little later, when it
can be seen in what company it came; the judgement rests on what is kept, and can be made anew.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from foundation import wake
from messaging import agents, outcomes, tracking
from messaging.agents import AT_ONCE
from messaging.models import Hit, Link, Message, MessageState
from messaging.returns import applying, soft
from profiles import ingest

_BATCH = 200

_MOST = 50  # of one link that are kept: whoever has its address may follow it for ever


def record(link: Link, *, method: str, agent: str, now: datetime) -> None:
    """Keeps that a link was followed, if the person still agrees to that."""
    message = link.message
    asked = (message.profile_id, message.channel)
    if message.profile_id is None or asked not in tracking.agreed([(message.profile_id, message.channel)]):
        return
    if Hit.objects.filter(link=link)[:_MOST].count() == _MOST:
        return
    Hit.objects.create(link=link, at=now, method=method[:10], agent=agent.replace("\0", "")[:300])
    wake.wake("messaging.clicks")


def tick(now: datetime) -> int:
    """Judges the hits whose company is known by now, and tells of those that people made; how many were judged."""
    done = 0
    while judged := _judge_some(now):
        done += judged
    return done


def _judge_some(now: datetime) -> int:
    """Nothing is held meanwhile: two who judge the same find the same, and what is told twice is told once."""
    with transaction.atomic():
        waiting = Hit.objects.filter(kind="", at__lte=now - AT_ONCE).exclude(link__message__state=MessageState.SENDING)
        hits = list(
            waiting.select_related("link__message__topic", "link__message__template").order_by("at", "id")[:_BATCH]
        )
        kinds = kinds_of({hit.link.message_id for hit in hits})
        by_people = [hit for hit in hits if kinds.get(hit.id) == Hit.Kind.HUMAN]
        tell(by_people, now)
        for kind in Hit.Kind:
            Hit.objects.filter(id__in=[hit.id for hit in hits if kinds.get(hit.id) == kind]).update(kind=kind)
    return len(hits)


def tell(hits: Sequence[Hit], now: datetime) -> None:
    """Tells on what people followed: as events, as their messages' state, and as proof that mail gets there."""
    ingest.emit([event for hit in hits if (event := _event(hit))], now=now)
    soft.note([(hit.link.message, True, hit.at) for hit in hits], now)
    applying.move_on({hit.link.message_id for hit in hits}, MessageState.CLICKED, now)


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
    sweeping: set[int] = set()
    for first, hit in enumerate(hits):
        near = [n for n in range(first, len(hits)) if hits[n].at - hit.at <= AT_ONCE]
        if len(links) > 1 and {hits[n].link.place for n in near} >= set(links):
            sweeping |= set(near)
    return [
        Hit.Kind.BOT
        if hit.method != "GET"
        or n in sweeping
        or agents.is_program(hit.agent)
        or (left is not None and hit.at < left + AT_ONCE)
        else Hit.Kind.HUMAN
        for n, hit in enumerate(hits)
    ]


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
