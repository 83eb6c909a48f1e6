/**
 * Who listens to what. A listener that throws harms nobody: what it has thrown is told, and the others are called.
 */
import type { Close, ClientState, Gap } from './state.ts'

export interface ClientEvents<ServerMessage> {
  /** In order, each once. `seq`: its number in the session, from 1. */
  readonly message: (message: ServerMessage, seq: number) => void
  /** The session goes on (`isResumed`), or has begun. What was missed comes after it. */
  readonly open: (event: { readonly isResumed: boolean }) => void
  /** The session is lost: messages of either side may be. A new one begins, and numbers begin anew. */
  readonly gap: (gap: Gap) => void
  /** A connection, or an attempt at one, has ended. */
  readonly close: (close: Close) => void
  readonly state: (state: ClientState) => void
}

/** In an object of its own: the same function may listen twice. */
interface Kept {
  readonly name: string
  readonly listener: (...args: never[]) => void
}

export interface Listeners {
  /** Gives the function that ends it. What is added or ended while others are called counts from the next event on. */
  readonly add: (name: string, listener: (...args: never[]) => void) => () => void
  readonly tell: (name: string, ...args: readonly unknown[]) => void
  /** To the application: what it has thrown. */
  readonly report: (error: unknown) => void
  /** Runs what is the application's. */
  readonly guard: <Result>(run: () => Result) => Result | undefined
}

export function createListeners(onError: (error: unknown) => void): Listeners {
  let all: readonly Kept[] = []

  function report(error: unknown): void {
    // If that throws or rejects, there is nobody left to tell.
    guard(
      (): unknown => onError(error),
      () => undefined,
    )
  }

  function guard<Result>(run: () => Result, tellOf = report): Result | undefined {
    try {
      const given = run()
      // What is async throws by rejecting: nobody else would catch that, and Node.js would end the program.
      if (given instanceof Promise) given.catch(tellOf)
      return given
    } catch (error) {
      tellOf(error)
      return undefined
    }
  }

  return {
    add: (name, listener) => {
      const kept = { name, listener }
      all = [...all, kept]
      return () => void (all = all.filter((other) => other !== kept))
    },
    tell: (name, ...args) => {
      for (const { name: told, listener } of all)
        if (told === name) guard((): unknown => listener(...(args as readonly never[])))
    },
    guard,
    report,
  }
}
