// The records on the platform's topics, as server-sent events. EventSource cannot send the caller's token, fetch can.

const RETRY_MS = 2000;

/** Follow the stream until `signal` aborts; `onState` gets `live` or `interrupted`. */
export async function follow(headers, signal, onRecord, onState) {
  while (!signal.aborted) {
    try {
      const response = await fetch("/console/events", { headers, signal });
      if (!response.ok) throw new Error(`events: ${response.status}`);
      await read(response.body.pipeThrough(new TextDecoderStream()), onRecord, onState);
    } catch {
      // interrupted: by us, or by a restart of the platform
    }
    if (signal.aborted) return;
    onState("interrupted");
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
  }
}

async function read(stream, onRecord, onState) {
  const reader = stream.getReader();
  let pending = "";
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    const blocks = (pending + value).split("\n\n");
    pending = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      if (name === "ready") onState("live");
      if (name === "record") onRecord(JSON.parse(/^data: (.*)$/m.exec(block)[1]));
    }
  }
}
