"""The kinds of message that people can choose: the only writer of topics."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from consent.models import Topic
from foundation import registry
from foundation.errors import Conflict, Invalid, Problem
from staff import audit

FIELDS = (
    "name",
    "description",
    "purpose",
    "basis",
    "default",
    "transactional",
    "double_opt_in",
    "valid_months",
    "min_age",
    "jurisdiction",
    "channels",
)
LONGEST_VALID, OLDEST = 120, 99
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,19}")


def save(
    slug: str,
    *,
    name: str,
    description: str,
    purpose: str,
    basis: str,
    default: bool = False,
    transactional: bool = False,
    double_opt_in: bool = False,
    valid_months: int | None = None,
    min_age: int | None = None,
    jurisdiction: str = "",
    channels: Sequence[str],
    reason: str = "",
    now: datetime,
) -> Topic:
    """Makes the topic, or changes it; one that was archived is back. What people chose stays as it is."""
    values: dict[str, Any] = {
        "name": name.strip(),
        "description": description.strip(),
        "purpose": purpose.strip(),
        "basis": basis,
        "default": default,
        "transactional": transactional,
        "double_opt_in": double_opt_in,
        "valid_months": valid_months,
        "min_age": min_age,
        "jurisdiction": jurisdiction,
        "channels": list(dict.fromkeys(channels)),
        "archived": False,
    }
    _check(slug, values)
    with transaction.atomic():
        before = Topic.objects.select_for_update().filter(slug=slug).first()
        changed = [field for field, value in values.items() if before is None or getattr(before, field) != value]
        topic = Topic(pk=before.pk if before else None, slug=slug, **values)
        if changed:
            topic.save()
            done = "Changed" if before else "Added"
            said = (
                f"{done} the topic {topic.name}{', now sent whatever people choose' if _frees(before, topic) else ''}."
            )
            audit.record("change" if before else "create", "topic", slug, said, changed=changed, reason=reason)
    return topic


def archive(topic: Topic, *, reason: str = "", now: datetime) -> None:
    """Takes the topic off the page and out of use; the ledger keeps what was decided on it."""
    users = [sentence for answer in registry.references.ask("topic", topic.slug) for sentence in answer]
    if users:
        raise Conflict(f"{topic.name} is in use: {'; '.join(users)}. Change that first.")
    with transaction.atomic():
        if Topic.objects.filter(pk=topic.pk, archived=False).update(archived=True):
            audit.record("archive", "topic", topic.slug, f"Archived the topic {topic.name}.", reason=reason)


def _frees(before: Topic | None, after: Topic) -> bool:
    return after.transactional and not (before and before.transactional)


def _check(slug: str, values: dict[str, Any]) -> None:
    problems = []
    if not _SLUG.fullmatch(slug) or len(slug) > 50:
        problems.append(Problem("slug", "must be lower-case letters, digits and dashes, 50 at most"))
    if not 0 < len(values["name"]) <= 100:
        problems.append(Problem("name", "must have between 1 and 100 characters"))
    for field, what in (("description", "what people get"), ("purpose", "why you send it")):
        if not values[field]:
            problems.append(Problem(field, f"must say {what}, for customers read it on their page"))
    if values["basis"] not in Topic.Basis.values:
        problems.append(Problem("basis", f"must be one of {', '.join(Topic.Basis.values)}"))
    if values["jurisdiction"] not in ("", *Topic.Jurisdiction.values):
        known = ", ".join(Topic.Jurisdiction.values)
        problems.append(Problem("jurisdiction", f"must be empty or one of {known}, a country's code"))
    if not values["channels"] or not all(_CHANNEL.fullmatch(channel) for channel in values["channels"]):
        problems.append(Problem("channels", "must name at least one channel, such as email"))
    if values["double_opt_in"] and values["transactional"]:
        problems.append(Problem("double_opt_in", "is for what people choose, and this is sent whatever they choose"))
    for field, most, what in (("valid_months", LONGEST_VALID, "months"), ("min_age", OLDEST, "years")):
        value = values[field]
        if value is not None and not 1 <= value <= most:
            problems.append(Problem(field, f"must be between 1 and {most} {what}, or empty"))
        elif value is not None and values["transactional"]:
            problems.append(Problem(field, "is for what people choose, and this is sent whatever they choose"))
    problems += [Problem(field, "must not hold a NUL character") for field in values if "\0" in str(values[field])]
    if problems:
        raise Invalid(problems)
