"""Saving what is said: the only writer of templates and their versions."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from consent.models import Topic
from foundation import registry
from foundation.errors import Conflict, Invalid, Problem
from foundation.sql import statements
from messaging import building, languages, lawful
from messaging.delivery import CHANNELS, Form, form_of, label
from messaging.liquid import Program, Unsayable
from messaging.models import Template, TemplateVersion
from messaging.snippets import inside
from messaging.snippets.inside import Held
from staff import actors, audit

_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
_LONGEST_SUBJECT = 500
_sql = statements("messaging", "snippets")


class Overtaken(Conflict):
    """Somebody else saved a version since what is to be saved was begun."""


def save(
    slug: str,
    *,
    name: str,
    channel: str,
    topic: str,
    subject: str,
    blocks: Any,
    options: Mapping[str, Any] | None = None,
    translations: Mapping[str, Any] | None = None,
    reason: str = "",
    upon: int | None = None,
    now: datetime,
) -> Template:
    """Makes or changes a template. What it says becomes a new version, unless it says the same as the last one.

    `options` are what the channel offers beside (`Form.options`); `translations` what is said in other languages, each
    a subject and blocks by its tag. Without them those of before stay.
    `upon` is the number of the version that was changed (0: there was none); `Overtaken` if another has come since.
    `Invalid` names everything that is wrong with its path (`blocks[2].href`); `Conflict` where the channel of what
    exists would change, since journeys rely on it.
    """
    with transaction.atomic():
        _sql.rows("beside")
        held = inside.held(blocks, *_rows(translations))
        found = _check(slug, name, channel, topic, subject, blocks, options, translations, held)
        subject = (subject or "").strip()
        Template.objects.bulk_create(
            [Template(slug=slug, name=name.strip(), channel=channel, topic=found)], ignore_conflicts=True
        )
        # Without a join: what is joined would be read as it was before we waited for the lock.
        template = Template.objects.select_for_update().get(slug=slug)
        if template.channel != channel:
            raise Conflict(
                f"The template {slug} is for {template.channel}, and those who use it rely on that."
                f" Save what is for {channel} under another slug."
            )
        before = template.version
        if upon is not None and upon != (before.number if before else 0):
            raise Overtaken(f"Somebody else saved the template {template.name} meanwhile.")
        renamed = (template.name, template.topic_id, template.archived) != (name.strip(), found.id, False)
        chosen = dict(options) if options is not None else before.options if before else {}
        if translations is None and before is not None and before.translations:
            translations = before.said_in_others
            held = inside.held(blocks, *_rows(translations))
        said = (subject, blocks, chosen, _plain(translations or {}), held)
        if before is None or _said(before) != said:
            template.version = _version(template, before, said, reason, now)
        elif not renamed:
            return template
        template.name, template.topic, template.archived = name.strip(), found, False
        template.save(update_fields=["name", "topic", "archived", "version"])
        number = template.version.number if template.version else 0
        verb, done = ("template.created", "Wrote") if before is None else ("template.changed", "Changed")
        summary = f"{done} the template {template.name} (version {number})."
        audit.record(verb, "template", slug, summary, version=number, topic=topic, reason=reason)
    return template


_Said = tuple[str, Any, dict[str, Any], dict[str, Any], dict[str, Any]]
"""A subject, blocks, options, translations, and what its snippets say."""


def _said(version: TemplateVersion) -> _Said:
    return version.subject, version.blocks, version.options, version.said_in_others, version.snippets


def _plain(translations: Mapping[str, Any]) -> dict[str, Any]:
    return {
        language: {"subject": (said.get("subject") or "").strip(), "blocks": said["blocks"]}
        for language, said in translations.items()
    }


def _rows(translations: Any) -> list[Any]:
    """The blocks of each language, as far as there are any."""
    found = translations.values() if isinstance(translations, Mapping) else ()
    return [said["blocks"] for said in found if isinstance(said, Mapping) and "blocks" in said]


def _version(
    template: Template, before: TemplateVersion | None, said: _Said, reason: str, now: datetime
) -> TemplateVersion:
    subject, blocks, options, others, held = said
    compiled = building.compile_said(form_of(template.channel), blocks, held)
    return TemplateVersion.objects.create(
        template=template,
        number=before.number + 1 if before else 1,
        subject=subject,
        blocks=blocks,
        options=options,
        translations={language: _compiled(template.channel, language, one, held) for language, one in others.items()},
        snippets=held,
        html=compiled.html,
        text=compiled.text,
        author=actors.current(),
        reason=reason,
        created_at=now,
    )


def _compiled(channel: str, language: str, said: Mapping[str, Any], held: Held) -> dict[str, Any]:
    """What is said in a language, with what it is compiled to."""
    compiled = building.compile_said(form_of(channel), said["blocks"], held, language)
    return {**said, "html": compiled.html, "text": compiled.text}


def archive(slug: str, *, reason: str = "", now: datetime) -> None:
    """Takes a template out of use, until it is saved again. `Conflict` while a journey, say, uses it."""
    with transaction.atomic():
        template = Template.objects.select_for_update().filter(slug=slug).first()
        if template is None:
            raise Invalid.at("slug", f"there is no template {slug!r}")
        if users := [sentence for answer in registry.references.ask("template", slug) for sentence in answer]:
            raise Conflict(f"The template {template.name} is in use. {' '.join(users)}")
        if not template.archived:
            template.archived = True
            template.save(update_fields=["archived"])
            summary = f"Took the template {template.name} out of use."
            audit.record("template.archived", "template", slug, summary, reason=reason)


def of_content(
    *, channel: str, topic: str, subject: str, blocks: Any, options: Mapping[str, Any] | None = None, now: datetime
) -> Template:
    """The one-off template that says just this: the same content is the same template. `Invalid` as by `save`."""
    content = [channel, topic, subject, blocks, *([dict(options)] if options else [])]
    said = json.dumps(content, sort_keys=True, default=str)
    slug = f"one-off-{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
    name = " ".join(subject.split())[:200] if isinstance(subject, str) else ""
    with transaction.atomic():
        template = save(
            slug,
            name=name or "One-off",
            channel=channel,
            topic=topic,
            subject=subject,
            blocks=blocks,
            options=options,
            now=now,
        )
        if not template.one_off:
            template.one_off = True
            template.save(update_fields=["one_off"])
    return template


def problems(
    slug: str, *, name: str, channel: str, topic: str, subject: str, blocks: Any, options: Any = None
) -> list[Problem]:
    """Everything for which `save` would refuse it."""
    try:
        _check(slug, name, channel, topic, subject, blocks, options, None, inside.held(blocks))
    except Invalid as invalid:
        return invalid.problems
    return []


def known(slugs: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of the templates that are in use: slug to their channel and the slug of their topic."""
    rows = Template.objects.filter(slug__in=set(slugs), version__isnull=False, archived=False)
    return {slug: (channel, topic) for slug, channel, topic in rows.values_list("slug", "channel", "topic__slug")}


def _check(
    slug: Any,
    name: Any,
    channel: Any,
    topic: Any,
    subject: Any,
    blocks: Any,
    options: Any,
    translations: Any,
    held: Held,
) -> Topic:
    problems = []
    if not isinstance(slug, str) or not _SLUG.match(slug) or len(slug) > 100:
        problems.append(Problem("slug", "must be lower-case letters, digits and dashes, at most 100"))
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or "\0" in name:
        problems.append(Problem("name", "must be a name of 1 to 200 characters"))
    if not isinstance(channel, str) or channel not in CHANNELS:
        problems.append(Problem("channel", f"must be one of {', '.join(CHANNELS.keys())}"))
    form = form_of(channel) if isinstance(channel, str) else Form()
    problems += _check_options(options, form, channel)
    problems += _check_said(subject, blocks, form, channel, held)
    problems += _check_translations(translations, form, channel, held) if translations is not None else []
    found = Topic.objects.filter(slug=topic, archived=False).first() if isinstance(topic, str) else None
    if found is None:
        problems.append(Problem("topic", f"there is no topic {topic!r}; make it first, or name one that exists"))
    elif found.channels and channel not in found.channels:
        problems.append(Problem("topic", f"{found.name} is not sent by {channel}, but by {', '.join(found.channels)}"))
    elif form.framed:
        problems += lawful.lacking(found)
    if problems or found is None:
        raise Invalid(problems)
    return found


def _check_said(subject: Any, blocks: Any, form: Form, channel: Any, held: Held, language: str = "") -> list[Problem]:
    """What is wrong with what is said in one language."""
    problems = _check_subject(subject, form, channel)
    try:
        read = building.read(blocks, snippets=languages.of_snippets(held, language))
        said = building.compile_for(form, read).text if not form.framed else ""
        return [*problems, *building.unfit(form, label(str(channel)), read, said)]
    except Invalid as invalid:
        return [*problems, *invalid.problems]


def _check_translations(translations: Any, form: Form, channel: Any, held: Held) -> list[Problem]:
    problems = list(languages.problems(translations))
    if problems:
        return problems
    return [
        Problem(f"translations.{language}.{problem.path}", problem.reason)
        for language, said in translations.items()
        for problem in _check_said(said.get("subject"), said["blocks"], form, channel, held, language)
    ]


def _check_options(options: Any, form: Form, channel: Any) -> list[Problem]:
    if options is None or options == {}:
        return []
    if not isinstance(options, dict):
        return [Problem("options", "must be an object of names and values")]
    known = {one.name: [value for value, _ in one.among] for one in form.options}
    problems = []
    for name, value in options.items():
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            problems.append(Problem(f"options.{name}", f"is no option of {label(str(channel))}; {there}"))
        elif value not in known[name]:
            problems.append(Problem(f"options.{name}", f"must be one of {', '.join(known[name])}"))
    return problems


def _check_subject(subject: Any, form: Form, channel: Any) -> list[Problem]:
    if not form.has_subject and subject in ("", None):
        return []
    if not form.has_subject:
        return [Problem("subject", f"must be empty: by {label(str(channel))} nothing but the text is said")]
    if not isinstance(subject, str) or not subject.strip():
        return [Problem("subject", "is missing: the line that people see first")]
    if len(subject) > _LONGEST_SUBJECT:
        return [Problem("subject", f"is longer than {_LONGEST_SUBJECT} characters")]
    if re.search(r"[\r\n\0\x85\u2028\u2029]", subject.strip()):
        return [Problem("subject", "must be one line")]
    try:
        Program(subject).check()
    except Unsayable as unsayable:
        return [Problem("subject", str(unsayable))]
    return []
