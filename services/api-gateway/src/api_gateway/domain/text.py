"""What text from outside may be: bounded, without control characters, links that are links."""

import unicodedata
from typing import Annotated
from urllib.parse import urlsplit

import phonenumbers
from contracts.values.ids import ForeignId
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints

_LAYOUT = frozenset("\n\r\t")


def _one_line(value: str) -> str:
    if any(unicodedata.category(letter) == "Cc" for letter in value):
        raise ValueError("must not contain control characters")
    return value


def _lines(value: str) -> str:
    if any(unicodedata.category(letter) == "Cc" and letter not in _LAYOUT for letter in value):
        raise ValueError("must not contain control characters other than line breaks and tabs")
    return value


def _web_link(value: str) -> str:
    try:
        link = urlsplit(value)
    except ValueError as error:
        raise ValueError("must be a link") from error
    if value and (link.scheme not in ("http", "https") or not link.hostname or " " in value):
        raise ValueError("must be an http(s) link")
    return value


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, test_environment=True, strict=True).normalized
    except EmailNotValidError as error:
        raise ValueError("must be an e-mail address") from error


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


Title = Annotated[str, StringConstraints(max_length=255), AfterValidator(_one_line)]
Line = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_one_line)]
Text = Annotated[str, StringConstraints(max_length=8000), AfterValidator(_lines)]
WebLink = Annotated[Line, AfterValidator(_web_link)]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_one_line), AfterValidator(_email)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^\+?[1-9][0-9]{0,3}$"), Field(examples=["+1"])]
PhoneNumber = Annotated[str, StringConstraints(pattern=r"^[0-9 ().-]{1,32}$"), Field(examples=["5551234567"])]
Ids = list[ForeignId]
