"""The preview: what is under way, filled in for one person, in a cage where nothing runs and nothing is fetched."""

from dataclasses import dataclass, field
from typing import Any

from consent.models import Topic
from foundation.errors import Invalid
from foundation.pages import Mail
from foundation.wording import now
from messaging import building, dynamic, liquid, rendering
from messaging.editor import samples
from messaging.editor.reading import LARGEST, Draft, Note, Reading, texts_of
from messaging.liquid import Program, Unsayable
from messaging.models import Brand, TemplateVersion
from messaging.rendering import Rendered
from profiles.models import Profile

# As mail programs do that turn colours around; pictures they leave.
_DARK = (
    "<style>html{background:#fff;filter:invert(1) hue-rotate(180deg);min-height:100%}"
    "img{filter:invert(1) hue-rotate(180deg)}</style>"
)
WIDTHS = ("desk", "phone")
SCHEMES = ("light", "dark")
PARTS = ("mail", "text")


@dataclass
class View:
    """How it is looked at, and as whom."""

    width: str = "desk"
    scheme: str = "light"
    part: str = "mail"
    person: Profile | None = None

    def __post_init__(self) -> None:
        self.width = self.width if self.width in WIDTHS else WIDTHS[0]
        self.scheme = self.scheme if self.scheme in SCHEMES else SCHEMES[0]
        self.part = self.part if self.part in PARTS else PARTS[0]


@dataclass
class Shown:
    """What the preview shows; `failed` says why this person would get nothing."""

    mail: Mail
    size: int = 0
    failed: str = ""
    view: View = field(default_factory=View)

    @property
    def document(self) -> str:
        return self.mail.document


def show(draft: Draft, reading: Reading, topic: Topic | None, brand: Brand, view: View) -> Shown:
    """The blocks that stand, as the person would read them; notes what is amiss for them at the block where it is."""
    topic = topic or Topic(slug="topic", name="this topic")
    profile = view.person or samples.made_up()
    zone = samples.zone(profile)
    if not draft.form.rich:
        view.part = "text"
    try:
        compiled = (
            building.compile_for(draft.form, [])
            if not reading.standing
            else building.compile_said(draft.form, reading.standing, reading.held)
        )
    except Invalid as invalid:
        reading.say("", Note(f"It {invalid.problems[0].reason}.", must=True))
        return Shown(Mail(title="Preview"), view=view)
    version = TemplateVersion(
        subject=draft.subject or (" " if draft.form.has_subject else ""),
        blocks=reading.standing,
        snippets=reading.held,
        html=compiled.html,
        text=compiled.text,
    )
    values = samples.values(profile, topic, draft.channel, brand, shown_to(version, view.person))
    failed = ""
    try:
        rendered = rendering.fill(version, values, zone)
    except Unsayable as unsayable:
        failed = str(unsayable) if draft.subject.strip() else ""
        _at_its_place(draft, reading, values, zone, profile)
        rendered = Rendered(
            _named(version.subject, values, zone),
            _named(version.html, values, zone, html=True),
            _named(version.text, values, zone),
        )
    size = len(rendered.html.encode("utf-8", "replace"))
    if size > LARGEST:
        reading.say(
            "",
            Note(
                f"It has {size // 1000} KB. Over {LARGEST // 1000} KB some mail programs cut it off,"
                " and with it the link to unsubscribe. Say less, or in two mails."
            ),
        )
    dark = _DARK if view.scheme == "dark" else ""
    mail = Mail(title="Preview", subject=rendered.subject.strip(), html=dark + rendered.html, text=rendered.text)
    return Shown(mail, size, failed, view)


def shown_to(version: TemplateVersion, person: Profile | None) -> dynamic.Shown:
    """What of it the person sees; whoever is made up sees everything."""
    if person is None:
        return dynamic.everything(version)
    return dynamic.ask([(version, person.id)], at=now()).get((version.pk, person.id), {})


def _at_its_place(draft: Draft, reading: Reading, values: dict[str, Any], zone: Any, profile: Profile) -> None:
    ends_at = liquid.end()
    for place, _, text in texts_of(draft):
        try:
            Program(text).fill(values, zone=zone, ends_at=ends_at)
        except Unsayable as unsayable:
            if not any(note.must for note in reading.notes.get(place, [])):
                reading.say(place, Note(f"{profile} would get no message: {unsayable}."))


def _named(source: str, values: dict[str, Any], zone: Any, *, html: bool = False) -> str:
    """With the name of what is missing in its place."""
    try:
        return Program(source, html=html, naming=True).fill(values, zone=zone, ends_at=liquid.end())
    except Unsayable as unsayable:
        return f"This cannot be shown: {unsayable}."
