// The page's words, in English and Spanish; `test_console_modules.py` checks that both have the same keys.

export const TEXTS = {
  en: {
    console: "Meetings console", pages: "Pages", language: "Language", signOut: "Change person", logInAs: "Log in as",
    logInHint: "The people of the demo. Nothing here is real, and no mail leaves this machine.",
    tools: "Tools", newMeeting: "New meeting", calendar: "Calendar", zoneHint: "Times in {zone}",
    mail: "Mails", google: "Google calendars", microsoft: "Outlook calendars", docs: "API reference",
    TENANT_STAFF: "Staff", PARTNER_STAFF: "Partner staff", CLIENT: "Client", CONTACT: "Client", EXTERNAL: "Guest",
    today: "Today", previous: "Previous", next: "Next", week: "Week", day: "Day", list: "List", allDay: "All day",
    noMeetings: "No meetings here.", more: "{count} more",
    title: "Title", starts: "Starts", ends: "Ends", timezone: "Time zone", place: "Place", ONLINE: "Online",
    IN_PERSON: "In person", locationDetail: "Where exactly", meetingLink: "Link to join", description: "Description",
    internalNotes: "Internal notes (staff only)", staff: "Staff", clients: "Clients",
    guests: "Guests from outside", guestsHint: "One per line: Jane Roe <jane.roe@example.com>",
    AVAILABLE: "free", BUSY: "busy", UNKNOWN_AVAILABILITY: "not known", checking: "checking…",
    save: "Save", saving: "Saving…", close: "Close", edit: "Edit", cancelMeeting: "Cancel the meeting", hide: "Remove from my calendar",
    resend: "Resend invitations", resendOne: "Resend to {name}", accept: "Accept", decline: "Decline", yourAnswer: "Your answer",
    confirmCancel: "Cancel “{title}”? Its participants are notified.",
    created: "“{title}” was created. Its invitations are on their way.", saved: "“{title}” was saved.", moved: "“{title}” was moved.",
    canceled: "“{title}” was canceled.", hidden: "“{title}” is off your calendar.", resent: "{sent} resent, {skipped} skipped (just mailed, or no address).",
    answered: "Your answer was recorded.", unknownOutcome: "Accepted; the outcome is not known yet.",
    conflict: "This meeting has changed since you saw it.", conflictMoved: "“{title}” has changed since you saw it, so it was not moved. Here is the newer version.",
    theirs: "Now: {value}", takeTheirs: "Use the newer version", keepMine: "Save mine over it", nothing: "(nothing)",
    notThere: "This cannot be moved there.",
    newTitle: "New meeting", editTitle: "Edit “{title}”", noTitle: "(no title)",
    when: "When", host: "Host", organizer: "Organizer", status: "Status", ACTIVE: "Active", CANCELED: "Canceled",
    participants: "Participants", onlyHost: "Only the host takes part.", ACCEPTED: "accepted", DECLINED: "declined", UNKNOWN: "has not answered",
    undelivered: "Mail not delivered: {reason}", lastResent: "resent {when}",
    source: "Made in", INTERNAL: "Meetings", GOOGLE: "Google Calendar", OUTLOOK: "Outlook", imported: "imported from {name}",
    readOnly: "organized elsewhere, read-only here", sync: "Calendar sync", NOT_APPLICABLE: "no calendar connected", PENDING: "waiting",
    SYNCED: "in the host's calendar", FAILED: "failed", retry: "Try again", retried: "The sync is tried again.",
    connection: "Calendar connection", NONE: "No calendar is connected.", DISCONNECTED: "{name} is disconnected.",
    CONNECTED: "{name} is connected as {email}.", lastSynced: "Last read {when}.", connect: "Connect {name}", disconnect: "Disconnect",
    pull: "Read it now", pulled: "{imported} imported, {updated} updated, {removed} removed.", pulling: "Reading goes on in the background.",
    connecting: "Consent in the other tab, then come back.", disconnected: "The calendar is disconnected.", why: "Reason: {reason}",
    findMeetings: "Find meetings: the filter language by example", example: "Example", filters: "Filters, as JSON", search: "Search",
    found: "{count} found", exText: "Title contains a word", exSoon: "Next 30 days, online", exDeclined: "Declined by somebody",
    exFailed: "Sync failed", exImported: "Imported", exGuest: "With guests at example.com", exCanceled: "Canceled, longest first", notJson: "This is not JSON: {problem}",
    activity: "What happens", activityHint: "Requests of this page, and the Kafka records that follow, as they happen.",
    showReads: "Show reads, too", live: "Live", interrupted: "Interrupted; trying again", noEvents: "This run shows no events.",
    elsewhere: "Elsewhere", request: "Request", response: "Response", record: "Record", unanswered: "no answer yet",
    failed: "That did not work: {problem}",
  },
  es: {
    console: "Consola de reuniones", pages: "Páginas", language: "Idioma", signOut: "Cambiar de persona", logInAs: "Entrar como",
    logInHint: "Las personas de la demostración. Nada es real, y ningún correo sale de esta máquina.",
    tools: "Herramientas", newMeeting: "Nueva reunión", calendar: "Calendario", zoneHint: "Horas en {zone}",
    mail: "Correos", google: "Calendarios de Google", microsoft: "Calendarios de Outlook", docs: "Referencia de la API",
    TENANT_STAFF: "Equipo", PARTNER_STAFF: "Equipo asociado", CLIENT: "Cliente", CONTACT: "Cliente", EXTERNAL: "Invitado",
    today: "Hoy", previous: "Anterior", next: "Siguiente", week: "Semana", day: "Día", list: "Lista", allDay: "Todo el día",
    noMeetings: "No hay reuniones aquí.", more: "{count} más",
    title: "Título", starts: "Empieza", ends: "Termina", timezone: "Zona horaria", place: "Lugar", ONLINE: "En línea",
    IN_PERSON: "Presencial", locationDetail: "Dónde exactamente", meetingLink: "Enlace para unirse", description: "Descripción",
    internalNotes: "Notas internas (solo el equipo)", staff: "Equipo", clients: "Clientes",
    guests: "Invitados externos", guestsHint: "Uno por línea: Jane Roe <jane.roe@example.com>",
    AVAILABLE: "libre", BUSY: "ocupado", UNKNOWN_AVAILABILITY: "no se sabe", checking: "consultando…",
    save: "Guardar", saving: "Guardando…", close: "Cerrar", edit: "Editar", cancelMeeting: "Cancelar la reunión", hide: "Quitar de mi calendario",
    resend: "Reenviar invitaciones", resendOne: "Reenviar a {name}", accept: "Aceptar", decline: "Rechazar", yourAnswer: "Su respuesta",
    confirmCancel: "¿Cancelar «{title}»? Se avisará a todos los participantes.",
    created: "«{title}» se ha creado. Sus invitaciones están en camino.", saved: "«{title}» se ha guardado.", moved: "«{title}» se ha movido.",
    canceled: "«{title}» se ha cancelado.", hidden: "«{title}» ya no está en su calendario.", resent: "{sent} reenviadas, {skipped} omitidas (recién enviadas o sin dirección).",
    answered: "Su respuesta se ha registrado.", unknownOutcome: "Aceptado; aún no se conoce el resultado.",
    conflict: "Esta reunión ha cambiado desde que usted la vio.", conflictMoved: "«{title}» ha cambiado desde que usted la vio, así que no se ha movido. Esta es la versión nueva.",
    theirs: "Ahora: {value}", takeTheirs: "Usar la versión nueva", keepMine: "Guardar la mía encima", nothing: "(nada)",
    notThere: "No se puede mover ahí.",
    newTitle: "Nueva reunión", editTitle: "Editar «{title}»", noTitle: "(sin título)",
    when: "Cuándo", host: "Anfitrión", organizer: "Organizador", status: "Estado", ACTIVE: "Activa", CANCELED: "Cancelada",
    participants: "Participantes", onlyHost: "Solo participa el anfitrión.", ACCEPTED: "ha aceptado", DECLINED: "ha rechazado", UNKNOWN: "no ha respondido",
    undelivered: "Correo no entregado: {reason}", lastResent: "reenviada {when}",
    source: "Creada en", INTERNAL: "Meetings", GOOGLE: "Google Calendar", OUTLOOK: "Outlook", imported: "importada de {name}",
    readOnly: "organizada en otro lugar, aquí solo lectura", sync: "Sincronización", NOT_APPLICABLE: "sin calendario conectado", PENDING: "pendiente",
    SYNCED: "en el calendario del anfitrión", FAILED: "fallida", retry: "Intentar de nuevo", retried: "Se intenta de nuevo.",
    connection: "Conexión de calendario", NONE: "No hay ningún calendario conectado.", DISCONNECTED: "{name} está desconectado.",
    CONNECTED: "{name} está conectado como {email}.", lastSynced: "Última lectura: {when}.", connect: "Conectar {name}", disconnect: "Desconectar",
    pull: "Leerlo ahora", pulled: "{imported} importadas, {updated} actualizadas, {removed} eliminadas.", pulling: "La lectura continúa en segundo plano.",
    connecting: "Dé su permiso en la otra pestaña y vuelva.", disconnected: "El calendario está desconectado.", why: "Motivo: {reason}",
    findMeetings: "Buscar reuniones: el lenguaje de filtros con ejemplos", example: "Ejemplo", filters: "Filtros, en JSON", search: "Buscar",
    found: "{count} encontradas", exText: "El título contiene una palabra", exSoon: "Próximos 30 días, en línea", exDeclined: "Rechazadas por alguien",
    exFailed: "Sincronización fallida", exImported: "Importadas", exGuest: "Con invitados de example.com", exCanceled: "Canceladas, la más larga primero", notJson: "Esto no es JSON: {problem}",
    activity: "Qué sucede", activityHint: "Las peticiones de esta página y los registros de Kafka que siguen, en directo.",
    showReads: "Mostrar también las lecturas", live: "En directo", interrupted: "Interrumpido; se intenta de nuevo", noEvents: "Esta ejecución no muestra eventos.",
    elsewhere: "En otra parte", request: "Petición", response: "Respuesta", record: "Registro", unanswered: "aún sin respuesta",
    failed: "No ha funcionado: {problem}",
  },
};

let current = "en";

export const language = () => current;

/** A text of the page's language, with its {parameters} filled in. */
export function t(key, parameters = {}) {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (_, name) => parameters[name]);
}

/** Switch the language, and write every text that the page itself holds. */
export function speak(chosen) {
  current = chosen in TEXTS ? chosen : "en";
  document.documentElement.lang = current;
  document.title = t("console");
  for (const holder of document.querySelectorAll("[data-t]")) holder.textContent = t(holder.dataset.t);
  for (const holder of document.querySelectorAll("[data-t-label]")) holder.setAttribute("aria-label", t(holder.dataset.tLabel));
}

/** An instant for people, in the page's language and the given zone. */
export function spokenInstant(instant, timeZone) {
  return new Intl.DateTimeFormat(current, { dateStyle: "short", timeStyle: "medium", timeZone }).format(new Date(instant));
}
