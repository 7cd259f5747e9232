"""What every provider simulator needs: a clock, faults, a webhook sender, pages, a state file and a server."""
