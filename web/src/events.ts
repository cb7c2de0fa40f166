/** Server-sent events, read from a stream of text. */
export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Splits a stream of server-sent events; what is incomplete waits for the next piece. */
export class EventParser {
  private rest = "";

  push(text: string): ServerEvent[] {
    // A line break of two characters may be cut in two: the first waits for the second.
    const whole = this.rest + text;
    const end = whole.endsWith("\r") ? whole.length - 1 : whole.length;
    const blocks = whole.slice(0, end).replace(/\r\n?/g, "\n").split("\n\n");
    this.rest = blocks.pop()! + whole.slice(end);
    return blocks.flatMap((block) => {
      let event = "message";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) event = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      return data.length === 0 ? [] : [{ event, data: JSON.parse(data.join("\n")) as unknown }];
    });
  }
}
