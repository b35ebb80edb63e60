"""What docs/consent.md says is what the code does."""

import re
from pathlib import Path

from django.urls import reverse

from consent.models import ConsentRecord, Suppression, Topic

TEXT = (Path(__file__).parent.parent.parent / "docs" / "consent.md").read_text()


def named_in_table(header: str) -> set[str]:
    """The names in the first column of the table under a header."""
    rows = TEXT.split(f"| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_every_source_reason_and_basis_is_told() -> None:
    assert named_in_table("source") == set(ConsentRecord.Source.values)
    assert named_in_table("reason") == set(Suppression.Reason.values)
    assert named_in_table("basis") == set(Topic.Basis.values)


def test_every_address_is_told() -> None:
    names = ("preferences", "unsubscribe", "confirm", "download", "everything", "receipts", "erase")
    assert named_in_table("address") - {"/forms/<slug>/"} == {
        reverse(f"consent:{name}", args=["<token>"]).replace("%3C", "<").replace("%3E", ">") for name in names
    }
    assert reverse("consent:form", args=["slug"]) == "/forms/slug/"
