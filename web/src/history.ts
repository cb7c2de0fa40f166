/** States of a document in the order in which they were made. States are immutable and share what did not change. */
export interface Step<T> {
  readonly state: T;
  /** What was done to reach this state, for the tooltip and the screen reader. */
  readonly what: string;
}

export class History<T> {
  private steps: Step<T>[];
  private at = 0;

  constructor(first: T, private readonly limit = 300) {
    this.steps = [{ state: first, what: "" }];
  }

  get present(): T {
    return this.steps[this.at]!.state;
  }

  /** What undo would take back, or null. */
  get undoes(): string | null {
    return this.at > 0 ? this.steps[this.at]!.what : null;
  }

  /** What redo would do again, or null. */
  get redoes(): string | null {
    return this.at + 1 < this.steps.length ? this.steps[this.at + 1]!.what : null;
  }

  /** A new state; what was undone is gone. */
  push(state: T, what: string): void {
    this.steps.length = this.at + 1;
    this.steps.push({ state, what });
    if (this.steps.length > this.limit) this.steps.shift();
    this.at = this.steps.length - 1;
  }

  /** Changes the present without a step of its own, for what nobody would undo. */
  replace(state: T): void {
    this.steps[this.at] = { ...this.steps[this.at]!, state };
  }

  /** Takes the last step back and returns what it was. */
  undo(): string | null {
    const what = this.undoes;
    if (what !== null) this.at--;
    return what;
  }

  redo(): string | null {
    const what = this.redoes;
    if (what !== null) this.at++;
    return what;
  }
}
