"""What a mail provider's API said when it did not take a mail: whether it surely did not, and whether it ever will."""

from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout, ReadTimeout

from messaging.delivery import About, InDoubt, Later, Outcome, Returned

_WAIT = {401, 403, 408, 425, 429}
"""Our key, our allowance, or their time: nothing that the message could be to blame for."""


def outcome_of(error: Exception) -> Outcome | None:
    """What came of handing a mail to a provider; None where the error is not a provider's."""
    if isinstance(error, AnymailRecipientsRefused):
        status: Any = getattr(error.email_message, "anymail_status", None)
        invalid = status is not None and "invalid" in (status.status or ())
        return Returned("The mail provider did not take the address.", gone=invalid)
    if not isinstance(error, AnymailAPIError):
        return None
    name = error.esp_name or "The mail provider"
    code = error.status_code
    if code is None:
        reached = isinstance(error.__cause__, ReadTimeout) or not isinstance(
            error.__cause__, ConnectTimeout | NoConnection
        )
        if reached:
            return InDoubt(f"{name} was given the mail, and no answer came.")
        return Later(f"{name} could not be reached.", About.CHANNEL)
    said = f"{name} answered {code}: {_said(error)}"
    if code in _WAIT:
        return Later(said, About.CHANNEL)
    return Returned(said) if 400 <= code < 500 else InDoubt(said)


def _said(error: AnymailAPIError) -> str:
    text = getattr(error.response, "text", "") or getattr(error.response, "reason", "") or ""
    return " ".join(str(text).split())[:200]
