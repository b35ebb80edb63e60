"""What comes back, as providers and mail servers write it."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.test import Client

from messaging.models import Message

SECRET = "cairn:a-long-enough-secret"


def postmark(message: Message | None, kind: str, at: str = "2026-11-24T10:05:00Z", **more: Any) -> dict[str, Any]:
    """An event as Postmark posts it."""
    to = more.pop("to", message.address if message else "ada@example.com")
    usual: dict[str, Any] = {
        "RecordType": kind,
        "MessageID": more.pop("MessageID", "0a1b2c3d-postmark"),
        "Metadata": {"message": str(message.id)} if message else {},
        "Recipient": to,
        "Email": to,
        "DeliveredAt": at,
        "BouncedAt": at,
        "ReceivedAt": at,
        "ChangedAt": at,
        "ID": more.pop("ID", f"{kind}-{at}"),
    }
    if kind == "Bounce":
        usual |= {"Type": "HardBounce", "Details": "smtp;550 5.1.1 The email account does not exist."}
    if kind == "SpamComplaint":
        usual |= {"Type": "SpamComplaint"}
    return {name: value for name, value in (usual | more).items() if value is not None}


def post(client: Client, body: Any, provider: str = "postmark", secret: str = SECRET, **more: Any) -> int:
    """What the provider's address answers."""
    headers: dict[str, Any] = {}
    if secret:
        headers["HTTP_AUTHORIZATION"] = "Basic " + base64.b64encode(secret.encode()).decode()
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = client.post(
        f"/webhooks/mail/{provider}/tracking/", content, content_type="application/json", **headers, **more
    )
    return answer.status_code


def dsn(
    status: str,
    *,
    to: str = "ada@example.com",
    returns: str = "",
    message_id: str = "",
    action: str = "failed",
    diagnostic: str = "",
    text: str = "Your message could not be delivered.",
    headers: Mapping[str, str] | None = None,
    fields: Sequence[str] = (),
    at: datetime | None = None,
) -> bytes:
    """A report of delivery as RFC 3464 has it."""
    lines = {
        "From": "MAILER-DAEMON@mx.example.net (Mail Delivery System)",
        "To": returns or "hello@example.com",
        "Subject": "Undelivered Mail Returned to Sender",
        "Date": f"{at or datetime.fromisoformat('2026-11-24T10:05:00+00:00'):%a, %d %b %Y %H:%M:%S +0000}",
        "Auto-Submitted": "auto-replied",
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/report; report-type=delivery-status; boundary="BOUND"',
        **(headers or {}),
    }
    block = [f"Final-Recipient: rfc822; {to}", f"Action: {action}", f"Status: {status}"]
    if diagnostic:
        block.append(f"Diagnostic-Code: smtp; {diagnostic}")
    original = f"Message-ID: {message_id}\n" if message_id else ""
    return "\n".join(
        [
            *(f"{name}: {value}" for name, value in lines.items()),
            "",
            "--BOUND",
            "Content-Type: text/plain; charset=utf-8",
            "",
            text,
            "",
            "--BOUND",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.example.net",
            "",
            *block,
            *fields,
            "",
            "--BOUND",
            "Content-Type: text/rfc822-headers",
            "",
            f"From: hello@example.com\nTo: {to}\n{original}Subject: News",
            "",
            "--BOUND--",
            "",
        ]
    ).encode()


def arf(
    kind: str = "abuse", *, message_id: str = "", recipient: str = "", mail_from: str = "", to: str = "fbl@example.com"
) -> bytes:
    """A report of a complaint as RFC 5965 has it."""
    fields = [f"Feedback-Type: {kind}", "User-Agent: SomeGenerator/1.0", "Version: 1"]
    fields += [f"Original-Rcpt-To: <{recipient}>"] if recipient else []
    fields += [f"Original-Mail-From: <{mail_from}>"] if mail_from else []
    return "\n".join(
        [
            "From: <feedback@isp.example.net>",
            f"To: {to}",
            "Subject: FW: News",
            "Date: Tue, 24 Nov 2026 10:06:00 +0000",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=feedback-report; boundary="part1"',
            "",
            "--part1",
            'Content-Type: text/plain; charset="US-ASCII"',
            "",
            "This is an email abuse report.",
            "",
            "--part1",
            "Content-Type: message/feedback-report",
            "",
            *fields,
            "Arrival-Date: Tue, 24 Nov 2026 10:01:00 +0000",
            "",
            "--part1",
            "Content-Type: message/rfc822",
            "Content-Disposition: inline",
            "",
            "From: hello@example.com",
            "To: redacted@isp.example.net",
            f"Message-ID: {message_id}" if message_id else "X-Nothing: here",
            "Subject: News",
            "",
            "Hello",
            "",
            "--part1--",
            "",
        ]
    ).encode()


def handed_over(message: Message, at: datetime) -> Message:
    """As dispatch leaves a message that it sent: to whom, under which name, and when."""
    Message.objects.filter(id=message.id).update(
        state="sent",
        address=message.profile.email if message.profile else "",
        message_id=f"<{message.id}@example.com>",
        sending_at=at,
        sent_at=at,
    )
    return Message.objects.select_related("topic", "template").get(id=message.id)
