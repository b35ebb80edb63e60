"""How somebody's consent came about, told to staff in words, the newest first."""

from datetime import datetime
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString

from consent import preferences
from consent.ledger import EVERYTHING
from consent.models import ConsentEvidence, ConsentRecord, RefusedUpgrade, State, Subject, Topic, Wording
from consent.wordings import channel_name
from foundation import wording
from foundation.pages import Entry, Part, Story

_SHOWN = 100
_HOW = {
    ConsentRecord.Source.PAGE: "on their preference page",
    ConsentRecord.Source.API: "as a program told us",
    ConsentRecord.Source.IMPORT: "as an import told us",
    ConsentRecord.Source.DOUBLE_OPT_IN: "and confirmed it by email",
    ConsentRecord.Source.ONE_CLICK: "in their mail program",
    ConsentRecord.Source.STAFF: "as our staff wrote down",
    ConsentRecord.Source.MERGE: "with a profile that became one with this",
    ConsentRecord.Source.COMPLAINT: "by marking a message as spam",
    ConsentRecord.Source.JOURNEY: "by a step of a journey",
    ConsentRecord.Source.REPLY: "in a message to us",
    ConsentRecord.Source.EXPIRY: "as time passed",
}


_SAID = {
    State.GRANTED: "Said yes to",
    State.DENIED: "Said no to",
    State.EXPIRED: "No more a yes to",
}
_IMPLIED = {
    ConsentRecord.Implied.PURCHASE: "Bought something, which stands for a yes to",
    ConsentRecord.Implied.INQUIRY: "Asked something, which stands for a yes to",
}
_ICONS = {State.GRANTED: "thumb_up", State.DENIED: "thumb_down", State.EXPIRED: "hourglass_bottom"}


def of(profile_id: UUID, topic: str = "", channel: str = "") -> Part:
    """The story of all of somebody's choices, or of one."""
    refs = Subject.objects.filter(profile=profile_id).values("ref")
    records = ConsentRecord.objects.filter(subject_ref__in=refs)
    refused = RefusedUpgrade.objects.filter(profile=profile_id)
    if topic:
        records, refused = (
            records.filter(topic__in=(topic, EVERYTHING), channel__in=(channel, EVERYTHING)),
            refused.filter(topic=topic, channel=channel),
        )
    rows = list(records.order_by("-recorded_at", "-seq")[:_SHOWN])
    names = dict(Topic.objects.values_list("slug", "name"))
    shown = dict(Wording.objects.filter(digest__in={row.wording for row in rows}).values_list("digest", "text"))
    proof = dict(ConsentEvidence.objects.filter(record__in=[row.id for row in rows]).values_list("record", "data"))
    told: list[tuple[datetime, int, Entry]] = [
        (row.recorded_at, row.seq, _told(row, names, shown.get(row.wording, ""), proof.get(row.id))) for row in rows
    ]
    told += [(row.at, 0, _attempt(row, names)) for row in refused.order_by("-at")[:_SHOWN]]
    told.sort(key=lambda one: one[:2], reverse=True)
    return Story(
        title="How it came about",
        entries=[entry for _, _, entry in told[:_SHOWN]],
        empty="No decision of theirs is on record.",
    )


def wishes(profile_id: UUID) -> str:
    """In one sentence how they like to be written to; "" if they have not said."""
    wish = preferences.of([profile_id])[profile_id]
    said = []
    if wish.intensity != wish.Intensity.NORMAL:
        said.append(f"they want {wish.get_intensity_display().lower()}")
    if wish.paused_until and wish.paused_until > wording.now():
        said.append(f"all is paused until {wording.exact(wish.paused_until)}")
    if wish.hours_from and wish.hours_to:
        said.append(f"between {wish.hours_from:%H:%M} and {wish.hours_to:%H:%M} only")
    if wish.time_zone:
        said.append(f"their time zone is {wish.time_zone}")
    sentence = ", ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def who(actor: str) -> str:
    """`user:ada` as `ada`, `key:Website` as `the key Website`, `customer` as `the person`."""
    kind, _, name = actor.partition(":")
    told = {"user": name, "key": f"the key {name}", "command": f"the command {name}", "customer": "the person"}
    return told.get(kind, "Cairn itself")


def _told(row: ConsentRecord, names: dict[str, str], shown: str, proof: dict[str, str] | None) -> Entry:
    said = _IMPLIED[ConsentRecord.Implied(row.implied)] if row.implied else _SAID[State(row.state)]
    what = format_html("{} {} {}", said, _about(row.topic, row.channel, names), _HOW[ConsentRecord.Source(row.source)])
    icon = _ICONS[State(row.state)]
    return Entry(what, wording.moment(row.occurred_at), _why(row, shown, proof), icon)


def _why(row: ConsentRecord, shown: str, proof: dict[str, str] | None) -> SafeString:
    parts = []
    if shown:
        parts.append(format_html("They were shown: <q>{}</q>", wording.shortened(shown)))
    if proof:
        parts.append(wording.terms(proof, hide={"undoes"}))
    if row.expires_at is not None:
        parts.append(format_html("It counts until {}.", wording.exact(row.expires_at)))
    if not row.actor.startswith("customer"):
        parts.append(format_html("Written down by {}.", who(row.actor)))
    return format_html("{}" * len(parts), *parts) if parts else SafeString("")


def _attempt(row: RefusedUpgrade, names: dict[str, str]) -> Entry:
    what = format_html(
        "{} said yes to {} for them, and was refused", who(row.actor), _about(row.topic, row.channel, names)
    )
    return Entry(what, wording.moment(row.at), row.reason, "gpp_bad")


def _about(topic: str, channel: str, names: dict[str, str]) -> SafeString:
    what = "everything" if topic == EVERYTHING else names.get(topic, wording.spoken(topic))
    by = "" if channel == EVERYTHING else f" by {channel_name(channel).lower()}"
    return format_html("<bdi>{}</bdi>{}", what, by)
