"""What is different between the two things that the editor writes: templates, and the snippets that they include."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.utils.text import slugify

from foundation import registry, wording
from messaging import templates
from messaging.editor import tongues
from messaging.editor.desk import Desk, Row
from messaging.languages import Spoken
from messaging.models import Template, TemplateVersion
from messaging.snippets import saving
from messaging.snippets.models import Snippet


class Room(ABC):
    """Each verb is the domain's own: it raises `Refused` with a sentence, and `Overtaken` where another was first."""

    model: ClassVar[type[Template] | type[Snippet]]
    what: ClassVar[str]

    def may(self, user: Any, verb: str) -> bool:
        return bool(user.has_perm(f"messaging.{verb}_{self.what}"))

    @abstractmethod
    def save(self, desk: Desk, blocks: Any) -> Row:
        """Saves what is under way."""

    @abstractmethod
    def drop(self, desk: Desk, row: Any) -> None:
        """No longer says it in the language of the desk."""

    @abstractmethod
    def restore(self, row: Any, version: Any, *, reason: str, upon: int | None) -> Row:
        """Says again what it said in an older version."""

    @abstractmethod
    def used_by(self, row: Any) -> list[str]:
        """What uses it, a sentence each."""

    def asks_about(self, desk: Desk) -> list[Template]:
        """What else would change if it were saved, to be agreed to first."""
        return []

    def also(self, saved: Row, is_new: bool) -> str:
        """What else was done, in a sentence."""
        return ""

    def free_slug(self, name: str) -> str:
        """A short name for a new one, from its name, that no other has."""
        base = slugify(name)[:90].strip("-_") or self.what
        taken = set(self.model.objects.filter(slug__startswith=base).values_list("slug", flat=True))
        return next(slug for slug in [base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))] if slug not in taken)


class Templates(Room):
    model, what = Template, "template"

    def save(self, desk: Desk, blocks: Any) -> Template:
        version, draft = _version(desk.row), desk.draft
        return templates.save(
            desk.row.slug if desk.row else self.free_slug(draft.name),
            name=draft.name,
            channel=draft.channel,
            topic=draft.topic,
            **tongues.with_said(version, desk.language, draft.subject, blocks),
            options=draft.options,
            reason=desk.reason,
            upon=version.number if version else 0,
            now=desk.now,
        )

    def drop(self, desk: Desk, row: Template) -> None:
        said = tongues.without(row.version, desk.language)
        about: dict[str, Any] = {"name": row.name, "channel": row.channel, "topic": row.topic.slug}
        templates.save(row.slug, **about, **said, reason=desk.because_it_is_dropped, now=desk.now)

    def restore(self, row: Template, version: TemplateVersion, *, reason: str, upon: int | None) -> Template:
        return templates.save(
            row.slug,
            name=row.name,
            channel=row.channel,
            topic=row.topic.slug,
            subject=version.subject,
            blocks=version.blocks,
            options=version.options,
            translations=version.said_in_others,
            reason=reason,
            upon=upon,
            now=wording.now(),
        )

    def used_by(self, row: Template) -> list[str]:
        return [sentence for answers in registry.references.ask("template", row.slug) for sentence in answers]


class Snippets(Room):
    model, what = Snippet, "snippet"

    def save(self, desk: Desk, blocks: Any) -> Snippet:
        version, draft = _version(desk.row), desk.draft
        return saving.save(
            desk.row.slug if desk.row else self.free_slug(draft.name),
            name=draft.name,
            **_wordless(tongues.with_said(version, desk.language, "", blocks)),
            reason=desk.reason,
            upon=version.number if version else 0,
            now=desk.now,
        )

    def drop(self, desk: Desk, row: Snippet) -> None:
        said = _wordless(tongues.without(row.version, desk.language))
        saving.save(row.slug, name=row.name, **said, reason=desk.because_it_is_dropped, now=desk.now)

    def restore(self, row: Snippet, version: Any, *, reason: str, upon: int | None) -> Snippet:
        return saving.save(
            row.slug,
            name=row.name,
            blocks=version.blocks,
            translations=version.translations,
            reason=reason,
            upon=upon,
            now=wording.now(),
        )

    def used_by(self, row: Snippet) -> list[str]:
        return saving.used_by(row.slug)

    def asks_about(self, desk: Desk) -> list[Template]:
        return list(saving.templates_with(desk.row.slug)) if desk.row else []

    def also(self, saved: Row, is_new: bool) -> str:
        many = saving.templates_with(saved.slug).count() if is_new else 0
        return (
            f" {wording.plural(many, 'template')} {'was' if many == 1 else 'were'} made anew with it." if many else ""
        )


def _version(row: Row | None) -> Spoken | None:
    return row.version if row else None


def _wordless(said: dict[str, Any]) -> dict[str, Any]:
    """Without subjects, which snippets have none of."""
    others = {language: {"blocks": one["blocks"]} for language, one in said.get("translations", {}).items()}
    return {"blocks": said["blocks"], **({"translations": others} if "translations" in said else {})}


TEMPLATES, SNIPPETS = Templates(), Snippets()
