"""Google's own description of the API, and checks against it."""
