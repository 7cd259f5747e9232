"""The create example of the outer contract, but for line breaks."""

EXAMPLE = """
{"title":"Quarterly portfolio review","startDateTime":"2026-06-15T15:00:00","endDateTime":"2026-06-15T15:45:00",
 "timezone":"America/Santiago","allDay":false,"locationType":"ONLINE","locationDetail":"https://meet.google.com/abc-defg-hij",
 "description":"Review Q2 performance and rebalancing plan.","internalNotes":"Bring the updated IPS draft.",
 "meetingProvider":"GOOGLE_MEET","meetingLink":"https://meet.google.com/abc-defg-hij","meetingPassword":null,
 "contactIds":["C019B9D0FD0E5772F9E8ED189895D40C4"],"staffIds":["PS0199CA8F08C270B5A5B0DFD3B565B332"],
 "externalAttendees":[{"name":"Jane Roe","email":"jane.roe@example.com","language":"ENGLISH",
  "countryCode":"+1","phone":"5551234567"}]}
"""
