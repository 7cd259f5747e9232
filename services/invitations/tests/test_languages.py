"""Every catalogue says everything that mails say, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path

import invitations.adapters.mail
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from chassis.i18n import LOCALES
from contracts.values.enums import Language
from invitations.adapters.mail.translators import CATALOGUES, load_translators

SOURCE = Path(str(invitations.adapters.mail.__file__)).parent
TRANSLATED = [language for language in Language if language is not Language.ENGLISH]


def said() -> set[str]:
    """Every text in the source that mails say."""

    def texts() -> Iterator[str]:
        for _file, _line, text, *_ in extract_from_dir(str(SOURCE), keywords={"translate": None}):
            yield str(text)

    return set(texts())


def test_there_is_something_to_say() -> None:
    assert "Invitation: %(title)s" in said()


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_text_and_no_other(language: Language) -> None:
    with (CATALOGUES / f"{LOCALES[language]}.po").open("rb") as source:
        catalogue = read_po(source)
    translated = {str(message.id): str(message.string) for message in catalogue if message.id}
    assert set(translated) == said()
    assert [text for text, translation in translated.items() if not translation] == []
    assert not any(message.fuzzy for message in catalogue if message.id)
    for text, translation in translated.items():
        assert re.findall(r"%\(\w+\)s", translation) == re.findall(r"%\(\w+\)s", text)


def test_every_language_can_be_read() -> None:
    assert set(load_translators()) == set(Language)
