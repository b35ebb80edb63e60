"""What the customer's pages say of topics, channels and decisions: shown, and kept word for word with the decision."""

from collections.abc import Mapping
from datetime import date, datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from consent.ledger import EVERYTHING
from consent.models import ConsentRecord, ConsentState, State, Topic
from foundation.wording import spoken

_CHANNELS = {
    "email": gettext_noop("Email"),
    "sms": gettext_noop("Text message"),
    "in_app": gettext_noop("In the app"),
    "web_push": gettext_noop("Browser notification"),
    "webhook": gettext_noop("Another service"),
    "task": gettext_noop("Somebody of our team"),
    "chat": gettext_noop("A word to our team"),
}


class Wordings:
    """The words for some topics, in the language that is active now."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = topics
        self.locale = translation.get_language() or "en"

    def name(self, topic: str, channel: str) -> str:
        """`Product news by email`, for lists of what was changed."""
        if topic == EVERYTHING:
            return _("Everything") if channel == EVERYTHING else _("Everything: %s") % channel_name(channel)
        found = self._topics.get(topic)
        return f"{found.name if found else spoken(topic)} ({channel_name(channel)})"

    def of_choice(self, topic: str, channel: str, state: str) -> str:
        """All that stood beside the button: what it is, why, by which channel, and the word that was chosen."""
        answer = _("Yes") if state == State.GRANTED else _("No")
        found = self._topics.get(topic)
        about = f" {found.description} {found.purpose}" if found else ""
        return f"{self.name(topic, channel)}: {answer}.{about}"

    def of_stop(self, topic: str, channel: str) -> str:
        return f"{_('Unsubscribe')}: {self.name(topic, channel)}"

    def of_objection(self) -> str:
        return _("I object to all marketing.")


def channel_name(channel: str) -> str:
    return _(_CHANNELS[channel]) if channel in _CHANNELS else spoken(channel)


def day(at: datetime) -> str:
    """The day, in words, in the time zone that is active now."""
    return formats.date_format(timezone.localtime(at), "DATE_FORMAT")


def date_of(day: date) -> str:
    return formats.date_format(day, "DATE_FORMAT")


def told(record: ConsentRecord | None, state: str) -> str:
    """How and when somebody came to a choice, in a sentence to them."""
    if record is None:
        return ""
    when = day(record.occurred_at)
    if record.topic == EVERYTHING:
        return _("You stopped everything on %s.") % when
    said_yes = state == State.GRANTED
    if record.implied:
        bought = record.implied == ConsentRecord.Implied.PURCHASE
        return (_("You bought something from us on %s.") if bought else _("You asked us something on %s.")) % when
    match record.source:
        case ConsentRecord.Source.PAGE:
            text = _("You said yes here on %s.") if said_yes else _("You said no here on %s.")
        case ConsentRecord.Source.DOUBLE_OPT_IN:
            text = _("You confirmed it by email on %s.")
        case ConsentRecord.Source.ONE_CLICK:
            text = _("You unsubscribed in your mail program on %s.")
        case ConsentRecord.Source.COMPLAINT:
            text = _("You marked a message as spam on %s; we took that as a no.")
        case ConsentRecord.Source.STAFF:
            text = _("You told our staff yes on %s.") if said_yes else _("You told our staff no on %s.")
        case ConsentRecord.Source.MERGE:
            text = _("Taken over from an earlier profile of yours, as of %s.")
        case ConsentRecord.Source.REPLY:
            text = _("You wrote us to stop on %s.")
        case ConsentRecord.Source.IMPORT:
            text = _("Taken over from an earlier list, as of %s.")
        case _other:
            text = _("You said yes in the product on %s.") if said_yes else _("You said no in the product on %s.")
    return text % when


def stands(record: ConsentRecord | None, choice: ConsentState) -> str:
    """The same of what stands now, and until when it does."""
    if choice.state == State.EXPIRED:
        ended = _("You agreed to this until %s, and that is over. Say yes again if you would like to go on getting it.")
        return ended % day(choice.since)
    text = told(record, choice.state)
    if choice.state == State.GRANTED and choice.expires_at is not None:
        until = _("It counts until %s; then we ask you anew here.") % day(choice.expires_at)
        return f"{text} {until}"
    return text


def wishes(changed: Mapping[str, Any]) -> list[str]:
    """What of the wishes was changed, each in a few words."""
    said = []
    if "intensity" in changed:
        said.append({"less": _("Less often"), "more": _("More often")}.get(changed["intensity"], _("Normally often")))
    if "paused_until" in changed:
        until = changed["paused_until"]
        said.append(_("Paused until %s") % day(until) if until else _("No longer paused"))
    if {"hours_from", "hours_to"} & changed.keys():
        said.append(_("Your hours"))
    if "time_zone" in changed:
        said.append(_("Your time zone"))
    if "language" in changed:
        said.append(_("Your language"))
    if "born_on" in changed:
        said.append(_("Your date of birth"))
    return said


def contact() -> str:
    """Where people reach a human: the address that we write from."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def requester() -> str:
    """Who asks for a consent, and how they are reached: in one line (CO-17)."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    post = ", ".join(line.strip() for line in settings.POSTAL_ADDRESS.splitlines() if line.strip())
    return ", ".join(filter(None, (name, post, settings.CONTACT, address)))


def why_it_came(topic: Topic, record: ConsentRecord | None, journey: str) -> str:
    """Why a message went to them: what they had said by then, or why nobody needed to ask; and what it is part of."""
    if record is not None:
        reason = told(record, State.GRANTED)
    elif topic.transactional:
        reason = _("It is needed for what you use.")
    else:
        reason = _("You get this until you say no.")
    part_of = _("It is part of: %s.") % spoken(journey)
    return f"{reason} {part_of}" if journey else reason
