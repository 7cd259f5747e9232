"""A stand-in for Microsoft: Entra ID sign-in (OAuth 2, OpenID Connect) and the calendars of Microsoft Graph v1.0."""
