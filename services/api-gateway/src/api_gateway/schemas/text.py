"""What text in a body may be: bounded, without control characters, links and addresses by the rules of contracts."""

import unicodedata
from typing import Annotated, Any

import phonenumbers
from contracts.values.ids import ForeignId
from contracts.values.limits import MAX_EMAIL, MAX_LINE, MAX_PARTICIPANTS, MAX_TEXT, MAX_TITLE
from contracts.values.text import deliverable_address, email_address, web_link
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

_LAYOUT = frozenset("\n\r\t")


def _one_line(value: str) -> str:
    if any(unicodedata.category(letter) == "Cc" for letter in value):
        raise ValueError("must not contain control characters")
    return value


def _lines(value: str) -> str:
    if any(unicodedata.category(letter) == "Cc" and letter not in _LAYOUT for letter in value):
        raise ValueError("must not contain control characters other than line breaks and tabs")
    return value


def _web_link_or_empty(value: str) -> str:
    return web_link(value) if value else ""


def _mailable(value: str) -> str:
    """Refuse here what no invitation could be sent to."""
    deliverable_address(value)
    return email_address(value)


def check_guest_phone(country_code: str, phone: str) -> None:
    """Whether a number is possible in its country's plan; ranges need not be assigned.

    Raises:
        ValueError: it cannot be a telephone number.
    """
    try:
        number = phonenumbers.parse(f"+{country_code.removeprefix('+')}{phone}")
    except phonenumbers.NumberParseException as error:
        raise ValueError("is not a telephone number of this country code") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("is not a possible telephone number")


def at_most(count: int) -> BeforeValidator:
    """Refuse a longer list before its items are looked at: each of them costs time, and errors of their own."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > count:
            raise PydanticCustomError("too_long", "List should have at most {count} items", {"count": count})
        return value

    return BeforeValidator(check)


Title = Annotated[str, StringConstraints(max_length=MAX_TITLE), AfterValidator(_one_line)]
Line = Annotated[str, StringConstraints(max_length=MAX_LINE), AfterValidator(_one_line)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_lines)]
WebLink = Annotated[Line, AfterValidator(_web_link_or_empty)]
Email = Annotated[str, StringConstraints(max_length=MAX_EMAIL), AfterValidator(_one_line), AfterValidator(_mailable)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^\+?[1-9][0-9]{0,3}$"), Field(examples=["+1"])]
PhoneNumber = Annotated[str, StringConstraints(pattern=r"^[0-9 ().-]{1,32}$"), Field(examples=["5551234567"])]
MAX_PEOPLE_WRITTEN = 2 * MAX_PARTICIPANTS
"""As they are written: repeats count once, but are looked at."""
Ids = Annotated[list[ForeignId], Field(max_length=MAX_PEOPLE_WRITTEN), at_most(MAX_PEOPLE_WRITTEN)]
