"""Change notification subscriptions and the notifications they cause."""
