"""Microsoft Graph v1.0 over HTTP: OData conventions, errors, throttling, routes."""
