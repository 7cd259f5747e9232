"""A stand-in for Google: OAuth 2.0, Calendar v3 and push channels, true to Google's documents. See README.md."""
