"""What the demo says at its end: all the counts, each next to what it can be checked against."""

from collections.abc import Iterator
from pathlib import Path

from insights import summary
from messaging.judging import GUARDRAILS
from messaging.models import MessageState
from playbooks.demo import behaviour


def lines(share: int, mail_folder: Path | None) -> Iterator[str]:
    """The summary of a telling of `share` per cent of people; `mail_folder` holds the mails, where files do."""
    yield from _people(behaviour.totals(share), "as published" if share >= 100 else f"as in {share} % of the people")
    yield from _segments()
    yield from _journeys()
    yield from _messages(mail_folder)


def _people(expected: behaviour.Totals, as_in: str) -> Iterator[str]:
    people, anonymous, accounts = summary.people()
    told = summary.events()
    stored = sum(n for _, n in told)
    yield f"People      {people:>9,}   {_against(people, expected.people, as_in)}; {anonymous:,} anonymous"
    yield f"Accounts    {accounts:>9,}   invented for the clickstream's people"
    counted = summary.events_in_rollup()
    yield f"Events      {stored:>9,}   {_against(stored, expected.events, as_in)}; the daily counts say {counted:,}"
    for name, n in told[:5]:
        yield f"              {n:>9,}   {name}"
    if len(told) > 5:
        yield f"              {sum(n for _, n in told[5:]):>9,}   {len(told) - 5} other kinds"
    refused = summary.rejected()
    yield f"Rejected    {sum(n for _, n in refused):>9,}"
    for reason, n in refused[:5]:
        yield f"              {n:>9,}   {reason}"


def _against(found: int, expected: int, as_in: str) -> str:
    return f"{as_in}: {expected:,}" if found == expected else f"not {as_in}: {expected:,}, so {found - expected:+,}"


def _segments() -> Iterator[str]:
    found = summary.segments()
    yield f"Segments    {len(found):>9,}"
    for name, size, sentence in found:
        yield f"              {size:>9,}   {name}: {sentence}"


def _journeys() -> Iterator[str]:
    found = summary.journeys()
    entered, steps = sum(one.entered for one in found), sum(one.steps for one in found)
    yield f"Journeys    {len(found):>9,}   {entered:,} entries, {steps:,} steps taken"
    for one in found:
        yield (
            f"              {one.entered:>9,}   {one.name}: {one.on_the_way:,} on the way,"
            f" {one.completed:,} completed, {one.left:,} left, {one.failed:,} failed,"
            f" {one.reached_goal:,} reached the goal, {one.refused:,} not let in"
        )


def _messages(mail_folder: Path | None) -> Iterator[str]:
    found = summary.messages()
    yield f"Messages    {sum(one.number for one in found):>9,}"
    for one in found:
        reason = f" by the guardrail “{_guardrail(one.reason)}”" if one.reason else ""
        yield f"              {one.number:>9,}   {MessageState(one.state).label}{reason}"
    if mail_folder is not None:
        yield f"Mails       {_mails_in(mail_folder):>9,}   in {mail_folder}"


def _guardrail(key: str) -> str:
    found = GUARDRAILS.get(key)
    return found.label if found else key


def _mails_in(folder: Path) -> int:
    """How many mails the files hold: each has one Message-ID, and a file may hold several."""
    count = 0
    for file in folder.glob("*"):
        with file.open("rb") as mails:
            count += sum(line.lower().startswith(b"message-id:") for line in mails)
    return count
