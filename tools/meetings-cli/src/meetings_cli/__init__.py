"""The operators' command line, ``meetings``: it reads what the services and their stores say, and changes little.

It speaks to the broker, the databases and the services' internal APIs directly, so that it helps most when something is
down. In the databases it only reads, but for making leased work due again.
"""
