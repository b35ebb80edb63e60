from typing import Any

import pytest

from foundation import phones


@pytest.mark.parametrize(
    ("code", "number", "found"),
    [
        ("", "+49 (30) 12-34-56", "+493012 3456"),
        ("", "0049 30 123456", "+4930123456"),
        ("", "030 123456", ""),
        ("49", "030 / 123 456", "+4930123456"),
        ("49", "+49 (0) 30 123456", "+4930123456"),
        ("49", "4917012345678", "+4917012345678"),  # the + was lost on the way
        ("49", "170 1234567", ""),  # from anywhere
        ("49", "+33 1 23 45 67 89", "+33123456789"),
        ("49", "11833", ""),
        ("1", "(415) 555-0100", "+14155550100"),
        ("1", "1 415 555 0100", "+14155550100"),
        ("34", "600 123 456", "+34600123456"),
        ("39", "06 1234567", "+39061234567"),
        ("36", "06 1 234 5678", "+3612345678"),
        ("49", "", ""),
    ],
)
def test_a_number_has_one_spelling_where_its_country_is_known(
    code: str, number: str, found: str, settings: Any
) -> None:
    settings.PHONE_COUNTRY_CODE = code
    assert phones.international(number) == found.replace(" ", "")


def test_somebody_may_be_known_by_a_number_as_it_is_dialled_within_its_country(settings: Any) -> None:
    settings.PHONE_COUNTRY_CODE = "49"
    assert phones.spellings("+49 170 1234567") == ["01701234567", "491701234567"]
    assert phones.spellings("0170 1234567") == ["01701234567", "491701234567"]
    assert phones.spellings("+33 123456789") == ["33123456789"]
