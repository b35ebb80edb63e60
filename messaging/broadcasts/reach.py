"""How many of a segment a message would reach now, and why not the others: asked of the guardrails themselves.

What passes with time (caps, good hours) is left out: it puts off, and holds nobody back for good.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from messaging import dispatch, judging
from messaging.judging import GUARDRAILS
from messaging.models import Message, Template
from segments.models import Membership, Segment

SAMPLE = 2_000
"""So many are asked about; of larger segments it is an estimate. Ids of people are random, so the first are, too."""
_ASKED = ("channel", "address", "restricted", "suppression", "consent", "age", "paused", "holdout")


@dataclass(frozen=True, slots=True)
class Reach:
    """`size` people are in it, and about `reached` would get it; `held`: guardrail, its label, how many it holds."""

    size: int
    asked: int
    reached: int
    held: tuple[tuple[str, str, int], ...]

    @property
    def exact(self) -> bool:
        return self.asked == self.size


def of(segment: Segment, template: Template, now: datetime) -> Reach:
    """As things stand now; nothing is queued, and nobody is written to."""
    members = Membership.objects.filter(segment=segment)
    people = [one.profile for one in members.select_related("profile__account").order_by("profile_id")[: SAMPLE + 1]]
    size = len(people) if len(people) <= SAMPLE else members.count()
    people = people[:SAMPLE]
    messages = [
        Message(
            profile=one, channel=template.channel, topic=template.topic, template=template,
            idempotency_key=f"reach:{one.id}", due_at=now, queued_at=now,
        )
        for one in people
    ]  # fmt: skip
    rails = [rail for rail in judging.in_order() if rail.key in _ASKED]
    judged = judging.judge(dispatch.candidates(messages, now), now, rails)
    found = Counter(one.guardrail for one in judged.values())
    scale = size / len(people) if people else 1
    held = [(key, GUARDRAILS[key].label, round(n * scale)) for key, n in found.most_common() if key]
    lost = sum(n for _, _, n in held)
    return Reach(size, len(people), max(size - lost, 0), tuple(held))
