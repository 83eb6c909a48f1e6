/**
 * The clients of a gateway as the contestant tells them what to do. They are in a process of their own (load-program.ts), cheap (client.ts), and the same
 * for all contestants but for the packets that they speak.
 */
import { Child } from './child.ts'
import type { Dialect } from './client.ts'

export interface Opening {
  readonly port: number
  readonly dialect: Dialect
  /** The users are 0, 1, 2, …, a connection each. */
  readonly count: number
  /** As many are connecting at a time. */
  readonly atOnce: number
  /** What the URL has behind `user=7`. */
  readonly query: string
}

export interface Expected {
  readonly messages: number
  /** Of messages that say in `at` when they were sent. */
  readonly latencies: boolean
}

export interface Roaming extends Omit<Opening, 'port' | 'count'> {
  readonly ports: readonly number[]
}

export interface Received {
  /** When the last one was there, by the clock that all processes share. */
  readonly lastUs: number
  readonly latenciesMs: readonly number[]
}

export class Load {
  private readonly child = new Child(new URL('load-program.js', import.meta.url))

  /** Resolves with the milliseconds from the first connect until the server has told the last client that it is registered. */
  open(opening: Opening): Promise<number> {
    return this.child.ask('open', opening)
  }

  /** Counts from here on. */
  expect(messages: number, latencies = false): Promise<void> {
    const expected: Expected = { messages, latencies }
    return this.child.ask('expect', expected)
  }

  /** Resolves when all that is expected is there. @throws by rejection, if it isn't after half a minute, or a connection is lost */
  received(): Promise<Received> {
    return this.child.ask('awaitAll')
  }

  /** From now on who loses its connection connects again, as many as `atOnce` at a time, to the next of these ports. */
  roam(roaming: Roaming): Promise<void> {
    return this.child.ask('roam', roaming)
  }

  /** Resolves when so many have done so and are registered: with the time of the last, by the clock that all processes share. */
  roamed(count: number): Promise<number> {
    return this.child.ask('roamed', count)
  }

  /** Cuts all connections. */
  close(): Promise<void> {
    return this.child.ask('close')
  }

  /** What it has cost so far: for a look at whether it holds up what it measures. */
  cpuMs(): Promise<number> {
    return this.child.ask('cpuMs')
  }
}
