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

interface Kept {
  readonly name: string
  readonly listener: (...args: never[]) => void
}

export class Listeners<ServerMessage> {
  private all: readonly Kept[] = []
  private readonly onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.onError = onError
  }

  /** Gives the function that ends it. One that is added or ended while others are called counts from the next event on. */
  add<Name extends keyof ClientEvents<ServerMessage>>(
    name: Name,
    listener: ClientEvents<ServerMessage>[Name],
  ): () => void {
    const one = { name, listener }
    this.all = [...this.all, one]
    return () => void (this.all = this.all.filter((other) => other !== one))
  }

  tell<Name extends keyof ClientEvents<ServerMessage>>(
    name: Name,
    ...args: Parameters<ClientEvents<ServerMessage>[Name]>
  ): void {
    for (const kept of this.all)
      if (kept.name === name) this.guard(() => void Reflect.apply(kept.listener, undefined, args))
  }

  /** Runs what is the application's. */
  guard<Result>(run: () => Result): Result | undefined {
    try {
      return run()
    } catch (error) {
      try {
        this.onError(error)
      } catch {
        // There is nobody left to tell.
      }
      return undefined
    }
  }
}
