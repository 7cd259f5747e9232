"""All generated pages of the documentation."""

from docs.generate.asyncapi import asyncapi_files
from docs.generate.catalogue import catalogue_files
from docs.generate.files import Files
from docs.generate.filters import filter_files
from docs.generate.openapi import openapi_files
from docs.generate.settings import settings_files


def pages() -> Files:
    """Every file under ``docs/generated``."""
    return {**catalogue_files(), **settings_files(), **asyncapi_files(), **openapi_files(), **filter_files()}
