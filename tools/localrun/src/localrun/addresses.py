"""Where a run can be reached, and by whom: the content of `run.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel, to_snake

from localrun.people import Person


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Base URLs without a slash, the console, and the demo people.

    `gateway` is the one base URL, of the API and the webhooks. `services` has those of our own services by name, where
    operators ask; `contacts` and `staff` are ids of the first person's tenant.
    """

    console: str
    gateway: str
    mail: str
    google: str
    microsoft: str
    kafka: str
    mongodb: str
    services: dict[str, str]
    people: list[Person]
    contacts: list[str]
    staff: list[str]

    @classmethod
    def read(cls, path: Path) -> Addresses:
        """What `write` wrote. Raises `OSError` when there is no such file: no run has everything ready."""
        fields = {to_snake(name): value for name, value in json.loads(path.read_text()).items()}
        people = [
            Person(**{to_snake(name): value for name, value in person.items()}) for person in fields.pop("people")
        ]
        return cls(people=people, **fields)

    def write(self, path: Path) -> None:
        """Write them as JSON in camelCase, in one step, readable for this user alone: there are tokens in it."""
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self, dict_factory=_camel_case), indent=2, ensure_ascii=False))
        draft.replace(path)


def _camel_case(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {to_camel(name): value for name, value in fields}
