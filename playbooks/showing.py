"""A playbook as staff look at it before they have it: whom it is for, the flow drawn, and how its messages read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.models import Topic
from foundation.errors import Refused
from foundation.pages import Mail
from journeys import documents
from journeys.editor import flow, words
from journeys.editor.flow import Flow
from messaging import building, preview
from messaging.delivery import form_of, label
from messaging.models import Template, TemplateVersion
from playbooks.files import Playbook
from playbooks.planning import named
from segments import language


@dataclass(frozen=True)
class Card:
    """A playbook in the gallery."""

    slug: str
    name: str
    what: str
    who: list[str]
    size: str
    is_there: bool


@dataclass(frozen=True)
class Drawn:
    """One of its journeys. Nobody is on it yet, so that there are no numbers."""

    name: str
    about: str
    flow: Flow
    goal: str
    sees_people: bool = False


@dataclass(frozen=True)
class Group:
    """One of its segments in a sentence, with what is hoped of it."""

    name: str
    sentence: str
    about: str = ""
    metric: str = ""


@dataclass(frozen=True)
class Message:
    """One of its templates as it reads."""

    name: str
    by: str
    topic: str
    mail: Mail | None


def card(book: Playbook, there: set[tuple[str, str]]) -> Card:
    """`there`: the slugs and names of the journeys that are here; a slug alone may be somebody else's."""
    steps = [step for row in book.journeys for _, step in documents.walk(row["document"])]
    says = sum(step["kind"] == "message" for step in steps)
    size = [_counted(len(book.journeys), "journey")] if len(book.journeys) > 1 else []
    size += [_counted(len(steps), "step"), _counted(says, "message")]
    is_there = bool(book.journeys) and all((row["slug"], row["name"]) in there for row in book.journeys)
    return Card(book.slug, book.name, book.what, list(_who(book)), ", ".join(size), is_there)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _who(book: Playbook) -> Iterator[str]:
    """Whom each journey is for: those in the segment that starts it, else whoever does what starts it."""
    groups = {row["slug"]: row for row in book.segments}
    with named(book):
        for row in book.journeys:
            triggers = words.triggers_of(row["document"]["entry"])
            group = groups.get(str(triggers[0].get("slug"))) if triggers else None
            if group is not None and group.get("definition") is not None:
                yield _sentence(group["definition"])
            else:
                said = ", or when ".join(words.trigger(one) for one in triggers)
                yield f"Starts when {said}"


def _sentence(definition: Any) -> str:
    try:
        return language.parse(definition).sentence()
    except Refused:
        return "It cannot be read."


def journeys(book: Playbook) -> list[Drawn]:
    found = []
    with named(book):
        for row in book.journeys:
            goal = row["document"].get("goal")
            drawn = flow.drawn(row["document"], checked=False)
            found.append(Drawn(row["name"], str(row.get("description", "")), drawn, words.goal(goal) if goal else ""))
    return found


def groups(book: Playbook) -> list[Group]:
    with named(book):
        return [
            Group(
                str(row.get("name") or row["slug"]),
                _sentence(row["definition"]) if row.get("definition") is not None else "It is filled by hand.",
                str(row.get("hypothesis") or row.get("description") or ""),
                str(row.get("success_metric") or ""),
            )
            for row in book.segments
        ]


def messages(book: Playbook) -> list[Message]:
    topics = {row["slug"]: row for row in book.topics}
    found = []
    for row in book.templates:
        topic = _topic(row["topic"], topics)
        found.append(
            Message(row["name"], label(row["channel"]), topic.name if topic else row["topic"], _mail(row, topic))
        )
    return found


def _topic(slug: str, ours: Mapping[str, Mapping[str, Any]]) -> Topic | None:
    if row := ours.get(slug):
        return Topic(**{name: value for name, value in row.items() if name != "reason"})
    return Topic.objects.filter(slug=slug).first()


def _mail(row: Mapping[str, Any], topic: Topic | None) -> Mail | None:
    """How it reads; None where that cannot be told, such as for a topic that is not there."""
    if topic is None:
        return None
    try:
        compiled = building.compile_for(form_of(row["channel"]), building.read(row["blocks"]))
    except (Refused, LookupError):
        return None
    template = Template(slug=row["slug"], name=row["name"], channel=row["channel"], topic=topic)
    said = TemplateVersion(
        template=template, subject=row["subject"], blocks=row["blocks"], html=compiled.html, text=compiled.text
    )
    sample = preview.of(template, said)
    return Mail(title=f"How “{row['name']}” reads", subject=sample.subject, html=sample.html, text=sample.text)
