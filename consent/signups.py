"""Hosted sign-up forms: what they say, and what becomes of what people send by them; the only writer of forms.

Whoever sends a form proves nothing, so it only asks: the address gets one mail, and a yes counts once it is confirmed
there. The answer is the same whether anybody is known by the address or not.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext as _

from consent import ages, optins, states, suppression
from consent.models import OptIn, SentForm, SignupForm, State, Topic
from consent.wordings import requester
from foundation import registry
from foundation.errors import Invalid, Problem
from foundation.wake import wake
from profiles import ingest
from profiles.ingest import Trust
from profiles.models import Identifier, Profile
from staff import audit

log = logging.getLogger(__name__)
CHANNEL = "email"
WORDS = ("title", "text", "button")
FIELDS = ("name", "topics", "wordings", "embed_on", "active")
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def save(
    slug: str,
    *,
    name: str,
    topics: Sequence[str],
    wordings: Mapping[str, Mapping[str, str]],
    embed_on: Sequence[str] = (),
    active: bool = True,
    reason: str = "",
    now: datetime,
) -> SignupForm:
    """Makes the form, or changes it. `wordings`: by language, its title, text and button; `embed_on`: whose pages may
    frame it. What people saw when they sent it is kept with their consent, whatever it says afterwards.
    """
    values: dict[str, Any] = {
        "name": name.strip(),
        "topics": list(dict.fromkeys(topics)),
        "wordings": {locale: dict(words) for locale, words in wordings.items()},
        "embed_on": list(dict.fromkeys(embed_on)),
        "active": active,
    }
    _check(slug, values)
    with transaction.atomic():
        before = SignupForm.objects.select_for_update().filter(slug=slug).first()
        changed = [field for field in FIELDS if before is None or getattr(before, field) != values[field]]
        form = SignupForm(pk=before.pk if before else None, slug=slug, **values)
        if changed:
            form.save()
            said = f"{'Changed' if before else 'Added'} the sign-up form {form.name}."
            audit.record("change" if before else "create", "form", slug, said, changed=changed, reason=reason)
    return form


def offered(form: SignupForm) -> list[Topic]:
    """What can be chosen on it today, in its order."""
    found = Topic.objects.in_bulk(form.topics, field_name="slug")
    return [
        topic
        for slug in form.topics
        if (topic := found.get(slug)) and not topic.archived and not topic.transactional and CHANNEL in topic.channels
    ]


def words(form: SignupForm, language: str) -> tuple[str, dict[str, str]]:
    """The words in this language, else in that of the house, else in the first that there is; and which that is."""
    known: dict[str, dict[str, str]] = form.wordings
    locale = next(each for each in (language, settings.LANGUAGE_CODE, *sorted(known)) if each in known)
    return locale, known[locale]


def wording(form: SignupForm, topic: Topic, said: Mapping[str, str]) -> str:
    """All that stood on the form about a topic: what they agreed to."""
    offered = f"{topic.name}: {topic.description} {topic.purpose}"
    return "\n".join([said["title"], said["text"], offered, said["button"], requester()])


def sign_up(
    form: SignupForm, address: str, chosen: Sequence[str], *, locale: str, born: date | None = None, now: datetime
) -> None:
    """Has the owner of the address asked to confirm, by the loop: for every address the same is done here (CO-29).

    `born` is needed for what is from some age on; it is kept once they have confirmed that it was they who wrote it.
    """
    address = "".join(address.split())
    topics = [topic for topic in offered(form) if topic.slug in chosen]
    _check_sent(address, topics, born, now)
    said = words(form, locale)[1]
    with transaction.atomic():
        SentForm.objects.create(
            form=form,
            address=address,
            shown={topic.slug: wording(form, topic, said) for topic in topics},
            button=said["button"],
            locale=locale,
            born_on=born if any(topic.min_age for topic in topics) else None,
            sent_at=now,
        )
        wake("consent.sign_up")


def tick(now: datetime) -> int:
    """Sees to what was sent, the oldest first; returns how many."""
    seen_to = 0
    while _next(now):
        seen_to += 1
    return seen_to


def _next(now: datetime) -> bool:
    """Whether there was one more. What fails is dropped: its mail is missed, and they send the form again."""
    with transaction.atomic():
        row = (
            SentForm.objects.select_for_update(skip_locked=True, of=["self"])
            .select_related("form")
            .order_by("id")
            .first()
        )
        if row is None:
            return False
        try:
            with transaction.atomic(), translation.override(row.locale):
                _ask(row, now)
        except (OperationalError, InterfaceError):
            raise  # not at fault: it is seen to once the database is back
        except Exception as error:
            log.error("what was sent by the form %s was dropped (%s)", row.form.slug, type(error).__name__)
        row.delete()
    return True


def _ask(row: SentForm, now: datetime) -> None:
    profile, made = _owner(row.form, row.address, row.locale, now)
    standing = states.find(((profile.id, topic, CHANNEL) for topic in row.shown), now=now)
    granted = {topic for (_, topic, _), state in standing.items() if state.state == State.GRANTED}
    wanted = [optins.Wanted(topic, CHANNEL, shown) for topic, shown in row.shown.items() if topic not in granted]
    if not wanted:  # they have it all: what they get is their page
        registry.mail_link.ask(profile)
        return
    evidence = {"page": "form", "form": row.form.slug, "control": row.button}
    if row.born_on:
        evidence[optins.BIRTH] = row.born_on.isoformat()
    optins.ask(profile, wanted, by=OptIn.By.FORM, locale=row.locale, evidence=evidence, now=now, made_person=made)


def _check_sent(address: str, topics: Sequence[Topic], born: date | None, now: datetime) -> None:
    problems = []
    try:
        validate_email(address)
    except ValidationError:
        problems.append(Problem("email", _("Write your email address as in ada@example.com.")))
    if len(address) > 254:
        problems.append(Problem("email", _("Write your email address as in ada@example.com.")))
    if not topics:
        problems.append(Problem("topics", _("Choose at least one.")))
    if born is not None and not ages.is_plausible(born, now):
        problems.append(Problem("born_on", _("Write the day of your birth as in 1990-01-31.")))
    problems += [Problem("born_on", told) for topic in topics if (told := ages.too_young(topic, born, now))]
    if problems:
        raise Invalid(problems)


def _owner(form: SignupForm, address: str, locale: str, now: datetime) -> tuple[Profile, bool]:
    """Who is known by the address, and whether they were made for it. Nothing that is known of them changes."""
    with connection.cursor() as cursor:  # of two who send it at once, one makes the person
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [suppression.hash_of(address)])
    known = Profile.objects.filter(email__iexact=address)
    if found := known.order_by(F("external_id").asc(nulls_last=True), "first_seen_at", "id").first():
        return found, False
    id = f"form:{uuid4()}"
    call = {
        "type": "identify",
        "messageId": id,
        "anonymousId": id,
        "traits": {"email": address, "locale": locale},
        "timestamp": now.isoformat(),
    }
    receipt = ingest.take([call], source=f"form:{form.slug}", trust=Trust.SERVER, now=now)
    if receipt.rejected:
        raise Invalid.at("email", receipt.rejected[0][1])
    return Identifier.objects.select_related("profile").get(kind=Identifier.Kind.ANONYMOUS, value=id).profile, True


def _check(slug: str, values: dict[str, Any]) -> None:
    problems = []
    if not _SLUG.fullmatch(slug) or len(slug) > 50:
        problems.append(Problem("slug", "must be lower-case letters, digits and dashes, 50 at most"))
    if not 0 < len(values["name"]) <= 100:
        problems.append(Problem("name", "must have between 1 and 100 characters"))
    problems += _check_topics(values["topics"])
    problems += _check_words(values["wordings"])
    problems += [
        Problem(f"embed_on[{place}]", "must be the beginning of an address such as https://www.example.com")
        for place, origin in enumerate(values["embed_on"])
        if not _is_origin(origin)
    ]
    problems += [Problem(field, "must not hold a NUL character") for field in values if "\0" in str(values[field])]
    if problems:
        raise Invalid(problems)


def _check_topics(slugs: Sequence[str]) -> list[Problem]:
    if not slugs:
        return [Problem("topics", "must name at least one topic")]
    found = Topic.objects.filter(archived=False, transactional=False).in_bulk(slugs, field_name="slug")
    return [
        Problem(f"topics[{place}]", f"there is no topic {slug!r} that people can choose to get by email")
        for place, slug in enumerate(slugs)
        if slug not in found or CHANNEL not in found[slug].channels
    ]


def _check_words(wordings: Mapping[str, Any]) -> list[Problem]:
    languages = dict(settings.LANGUAGES)
    if not wordings:
        return [Problem("wordings", "must hold the words in one language at least, such as en")]
    problems = [
        Problem(f"wordings.{locale}", f"must be one of {', '.join(languages)}")
        for locale in wordings
        if locale not in languages
    ]
    for locale, said in wordings.items():
        if set(said) != set(WORDS) or not all(
            isinstance(text, str) and 0 < len(text) <= 2_000 for text in said.values()
        ):
            problems.append(
                Problem(f"wordings.{locale}", "must hold title, text and button, each a text that people read")
            )
    return problems


def _is_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        there = f"{parts.scheme}://{parts.netloc}" == origin and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return there and parts.scheme in ("https", "http") and re.fullmatch(r"[a-z0-9.:-]+", parts.netloc) is not None
