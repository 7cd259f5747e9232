"""What callers say about their calendar connection."""

from enum import StrEnum

from contracts.model import Contract
from contracts.values.enums import CalendarProvider, FirstTimeModalPreference


class ProviderName(StrEnum):
    """A provider as paths name it."""

    GOOGLE = "google"
    OUTLOOK = "outlook"

    @property
    def provider(self) -> CalendarProvider:
        return CalendarProvider[self.name]


class PreferencesBody(Contract):
    """The first-time modal preference to set."""

    action: FirstTimeModalPreference
