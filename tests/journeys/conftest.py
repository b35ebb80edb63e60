"""A place to play journeys in: topics, templates, a way for things to happen, and the clock in the hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from consent import topics
from journeys import engine, publishing
from journeys.models import Enrollment, Journey, Refusal, Transition
from messaging import templates
from messaging.models import Message
from profiles import ingest
from profiles.identity import Trust
from profiles.models import Profile

SIGNED_UP = {"kind": "event", "name": "signed_up"}


def send(key: str, template: str = "hello") -> dict[str, Any]:
    return {"key": key, "kind": "message", "channel": "email", "template": template}


def wait(key: str, **length: float) -> dict[str, Any]:
    return {"key": key, "kind": "wait", "for": length or {"days": 2}}


def branch(key: str, when: Any, yes: list[Any], no: list[Any]) -> dict[str, Any]:
    return {
        "key": key,
        "kind": "branch",
        "arms": [{"key": "yes", "when": when, "steps": yes}, {"key": "no", "steps": no}],
    }


def leave(key: str, reason: str = "") -> dict[str, Any]:
    return {"key": key, "kind": "exit", **({"reason": reason} if reason else {})}


@dataclass
class Stage:
    """`now` stands still until `go_on`; what happens, happens now unless it says when."""

    now: datetime
    said: list[str] = field(default_factory=list)

    def journey(self, *steps: Any, slug: str = "onboarding", publish: bool = True, **parts: Any) -> Journey:
        entry = {"trigger": parts.pop("trigger", SIGNED_UP)}
        entry |= {name: parts.pop(name) for name in ("filter", "reentry") if name in parts}
        publishing.save(slug, name=slug.title(), document={"entry": entry, "steps": list(steps), **parts}, now=self.now)
        if publish:
            publishing.publish(slug, now=self.now)
        return Journey.objects.get(slug=slug)

    def does(self, person: Profile | str, name: str, *, at: datetime | None = None, **properties: Any) -> None:
        """Somebody does something; nothing looks at it yet."""
        user = person if isinstance(person, str) else person.external_id
        call = {
            "type": "track",
            "userId": user,
            "event": name,
            "properties": properties,
            "messageId": str(uuid4()),
            "timestamp": (at or self.now).isoformat(),
        }
        receipt = ingest.take([call], source="test", trust=Trust.SERVER, now=self.now, sent_at=self.now)
        assert not receipt.rejected, receipt.rejected

    def rest(self) -> None:
        """All that is due is done."""
        while engine.react(self.now) + engine.advance(self.now):
            pass

    def go_on(self, **length: float) -> None:
        """Time passes, and what falls due is done at the end of it."""
        self.now += timedelta(**length)
        self.rest()

    def enrollment(self, person: Profile, slug: str = "onboarding") -> Enrollment:
        return Enrollment.objects.get(profile=person, journey__slug=slug)

    def story(self, person: Profile, slug: str = "onboarding") -> list[str]:
        """What somebody went through: `step answer` or `step answer:arm`, in order."""
        rows = Transition.objects.filter(enrollment__profile=person, enrollment__journey__slug=slug).order_by("id")
        return [f"{row.step} {row.answer}" + (f":{row.arm}" if row.arm else "") for row in rows]

    def messages(self, person: Profile) -> list[tuple[str, str]]:
        """The step and state of each message to somebody, in order."""
        return list(Message.objects.filter(profile=person).order_by("queued_at", "id").values_list("step", "state"))

    def refusals(self, person: Profile) -> list[tuple[str, int]]:
        return list(Refusal.objects.filter(profile=person).order_by("id").values_list("cause", "times"))


def furnish(now: datetime) -> None:
    """A topic and two templates."""
    topics.save(
        "product", name="Product", description="About it.", purpose="To help.", basis="legitimate_interest",
        channels=["email"], now=now,
    )  # fmt: skip
    for slug in ("hello", "nudge"):
        templates.save(
            slug, name=slug, channel="email", topic="product", subject="Hi",
            blocks=[{"kind": "text", "text": "Hello."}], now=now,
        )  # fmt: skip


@pytest.fixture
def stage(db: None, now: datetime) -> Stage:
    furnish(now)
    return Stage(now)


@pytest.fixture
def committing_stage(transactional_db: None, now: datetime) -> Stage:
    furnish(now)
    return Stage(now)


Person = Callable[..., Profile]
