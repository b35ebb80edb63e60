"""Text messages to phones, through any provider that Apprise knows."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from messaging import apprising, sms, wiring
from messaging.delivery import CHANNELS, Channel, Form, Letter, Line, Outcome, Setting, Unreachable
from profiles.models import Profile

_PHONE = "{phone}"
_SAMPLE = "+15005550006"
_PARTS = 10


def _flaw(url: str) -> str:
    if _PHONE not in url:
        return f"must hold {_PHONE} where the number goes, as in twilio://SID:TOKEN@+15551234567/{_PHONE}"
    return apprising.flaw(url.replace(_PHONE, quote(_SAMPLE)))


@CHANNELS.register
class Sms(Channel):
    key = "sms"
    label = "text message"
    about = "Texts to phones, through a provider such as Twilio, Vonage or Plivo."
    icon = "sms"
    form = Form(has_subject=False, rich=False, longest=153 * _PARTS)
    test_to = "A phone number such as +43 660 1234567"
    settings = (
        Setting(
            "url",
            "Provider",
            f"Its address as Apprise writes it, with {_PHONE} where the number goes:"
            f" twilio://SID:TOKEN@+15551234567/{_PHONE}.",
            secret=True,
            flaw=_flaw,
        ),
    )

    def address(self, profile: Profile) -> str:
        return sms.number(profile.phone) or (profile.phone or "").strip()

    def takes(self, address: str) -> bool:
        return bool(sms.number(address))

    def hints(self, text: str, *, transactional: bool) -> list[str]:
        size = sms.size(text)
        found = []
        if size.parts > 1:
            why = " since it has letters that phones do not know as such" if size.alphabet == "UCS-2" else ""
            found.append(f"It goes out in {size.parts} parts{why}, and each is paid for.")
        if not transactional and not sms.STOP.search(text) and "links.unsubscribe" not in text:
            found.append("It does not say how to get no more: end it with “Reply STOP” or {{ links.unsubscribe }}.")
        return found

    @contextmanager
    def line(self) -> Iterator[Line]:
        wired = wiring.wired(self.key)
        if lack := wired.lack(type(self)):
            raise Unreachable(f"The channel text message {lack}.")
        yield _SmsLine(wired.values["url"])


class _SmsLine(Line):
    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, letter: Letter) -> Outcome:
        return apprising.send(self._url.replace(_PHONE, quote(sms.number(letter.address))), letter.text)
