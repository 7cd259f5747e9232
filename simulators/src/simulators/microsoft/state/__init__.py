"""What the simulator remembers: accounts with their calendars and events, grants, subscriptions."""
