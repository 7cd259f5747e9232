"""How an Exchange mailbox behaves: time zones, series, events, meetings with guests, delta rounds, free/busy."""
