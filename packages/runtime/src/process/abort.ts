/**
 * The abort signal of a process: aborted when the process has ended.
 *
 * A listener is user code that runs outside of any process. One that throws would be an uncaught exception, which ends the OS process for the sake of a
 * light one: listeners that are added here are called in a frame that reports what they throw, or reject with, instead.
 */
import { exitedError, type ExitHook, type Process } from './process.ts'

type Listener = Parameters<AbortSignal['addEventListener']>[1]

export class ProcessAbort implements ExitHook {
  private readonly controller = new AbortController()

  /** `onFault` is told what a listener has thrown. */
  constructor(process: Process, onFault: (thrown: unknown) => void) {
    guardListeners(this.controller.signal, onFault)
    if (!process.isAlive) this.onExit(exitedError(process))
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  onExit(error: Error): void {
    this.controller.abort(error)
  }
}

/** What adds and removes listeners of this one signal goes through here; Node's own `addAbortListener`, `fetch` and timers do too. */
function guardListeners(signal: AbortSignal, onFault: (thrown: unknown) => void): void {
  // A guard is its own: Node gives it back to `removeEventListener` when a listener has a signal of its own.
  const guards = new WeakMap<object, (event: Event) => void>()
  const guardOf = (listener: NonNullable<Listener>): ((event: Event) => void) => {
    const known = guards.get(listener)
    if (known !== undefined) return known
    const guard = (event: Event): void => {
      try {
        const outcome: unknown =
          typeof listener === 'function' ? Reflect.apply(listener, signal, [event]) : listener.handleEvent(event)
        if (outcome instanceof Promise) outcome.catch(onFault)
      } catch (thrown) {
        onFault(thrown)
      }
    }
    guards.set(listener, guard)
    guards.set(guard, guard)
    return guard
  }
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  let handler: AbortSignal['onabort'] = null
  // What is no listener is for the platform to judge.
  const judged = (listener: Listener | null): unknown => (isListener(listener) ? guardOf(listener) : listener)
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: Listener | null, options?: Parameters<typeof add>[2]): void => {
        Reflect.apply(add, undefined, [type, judged(listener), options])
      },
    },
    removeEventListener: {
      value: (type: string, listener: Listener | null, options?: Parameters<typeof remove>[2]): void => {
        Reflect.apply(remove, undefined, [type, judged(listener), options])
      },
    },
    onabort: {
      get: () => handler,
      set: (wanted: AbortSignal['onabort']) => {
        if (handler !== null) remove('abort', guardOf(handler))
        handler = typeof wanted === 'function' ? wanted : null
        if (handler !== null) add('abort', guardOf(handler))
      },
    },
  })
}

function isListener(listener: Listener | null): listener is Listener {
  return typeof listener === 'function' || (typeof listener === 'object' && listener !== null)
}
