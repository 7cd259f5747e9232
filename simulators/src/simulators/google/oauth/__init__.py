"""OAuth 2.0 for web server applications (developers.google.com/identity/protocols/oauth2/web-server)."""
