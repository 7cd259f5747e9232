"""The page about the filter language, from the same reference as the gateway's own page."""

from api_gateway.schemas import filter_reference as reference

from docgen.files import Files
from docgen.markdown import page, table

PATH = "docs/generated/filters.md"


def filter_files() -> Files:
    """The page about filters."""
    return {
        PATH: page(
            "Filters",
            "What `POST /api/v2/meetings` understands.",
            *reference.RULES,
            f"```json\n{reference.EXAMPLE}\n```",
            "## Fields",
            table(reference.FIELD_HEAD, reference.field_rows()),
            "## Kinds",
            table(reference.KIND_HEAD, reference.kind_rows()),
            "## Operators",
            table(reference.OPERATOR_HEAD, reference.operator_rows()),
        )
    }
