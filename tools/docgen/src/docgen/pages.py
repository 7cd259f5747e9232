"""All generated pages of the documentation."""

from docgen.asyncapi import asyncapi_files
from docgen.catalogue import catalogue_files
from docgen.files import Files
from docgen.filters import filter_files
from docgen.openapi import openapi_files
from docgen.personal_data import personal_data_files
from docgen.settings import settings_files


def pages() -> Files:
    """Every file under ``docs/generated``."""
    kinds = (catalogue_files, settings_files, asyncapi_files, openapi_files, filter_files, personal_data_files)
    return {path: content for files in kinds for path, content in files().items()}
