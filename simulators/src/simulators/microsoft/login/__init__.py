"""Entra ID: discovery, sign-in and consent page, token endpoint."""
