// Who uses the console: a demo person, logged in at the simulated platform. Kept as long as the tab is open.

const KEY = "meetings-console";

export class Session {
  constructor(run, person, login) {
    this.person = person;
    this.people = run.people.filter((other) => other.tenantUuid === person.tenantUuid);
    this.timeZone = person.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.isStaff = person.userType !== "CLIENT";
    this.headers = {
      Authorization: `Bearer ${login.token}`,
      "x-tenant-uuid": login.tenantUuid,
      "x-user-id": login.userUuid,
      "x-user-email": login.username,
      "x-user-type": login.userType,
      ...(login.partnerUuid ? { "x-partner-uuid": login.partnerUuid } : {}),
    };
  }

  /** Log a person in. */
  static async logIn(run, person) {
    const response = await fetch("/api/auth/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: person.username, password: run.password }),
    });
    if (!response.ok) throw new Error(`login: ${response.status}`);
    sessionStorage.setItem(KEY, person.id);
    return new Session(run, person, await response.json());
  }

  /** The person who was logged in when the page was last loaded, if any. */
  static remembered(run) {
    return run.people.find((person) => person.id === sessionStorage.getItem(KEY));
  }

  static forget() {
    sessionStorage.removeItem(KEY);
  }
}
