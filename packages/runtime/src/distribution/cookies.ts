/**
 * The secrets of a cluster that one node knows. Private in the language: whoever shows or logs a node, or what has one, sees none of them.
 */
export class Cookies {
  readonly #texts: readonly [string, ...string[]]

  constructor(texts: readonly [string, ...string[]]) {
    this.#texts = texts
  }

  /** What this node proves to know. */
  first(): string {
    return this.#texts[0]
  }

  /** Each is good enough for another node to know. */
  all(): readonly string[] {
    return this.#texts
  }
}
