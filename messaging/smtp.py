"""SMTP with a memory: whether, when the tie is cut, the other side may have taken what was being said."""

import smtplib
from typing import Any

from django.core.mail.backends import smtp


class _Doubt:
    """After a 354 the server waits for the message: from there to its next reply it may have it, or not."""

    in_doubt = False

    def getreply(self) -> tuple[int, bytes]:
        reply: tuple[int, bytes] = super().getreply()  # type: ignore[misc]
        self.in_doubt = reply[0] == 354
        return reply


class _Plain(_Doubt, smtplib.SMTP):
    pass


class _Secure(_Doubt, smtplib.SMTP_SSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """Django's own, which can be asked whether what it was sending is in doubt."""

    @property
    def connection_class(self) -> type[Any]:
        return _Secure if self.use_ssl else _Plain

    @property
    def in_doubt(self) -> bool:
        return isinstance(self.connection, _Doubt) and self.connection.in_doubt
