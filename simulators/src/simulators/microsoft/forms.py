"""Form bodies."""

from fastapi import Request


async def fields(request: Request) -> dict[str, str]:
    """The text fields of a form; files are none of our business."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
