/**
 * A child of a contestant: a program beside it that answers questions, and ends when the contestant does, however that ends.
 *
 *   contestant ── { id, name, argument } ──▶ child ── { id, answer } or { id, error } ──▶ contestant
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { continueAtExit } from '../continue-at-exit.ts'

/** For what should take seconds at most. */
const ANSWER_WITHIN_MS = 60_000

interface Question {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

interface Reply {
  readonly id: number
  readonly answer?: unknown
  readonly error?: string
}

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

export class Child {
  private readonly child: ChildProcess
  private readonly program: string
  private readonly ended: Promise<unknown>
  private readonly waiting = new Map<number, Waiting>()
  private asked = 0

  /** `program` is a built file, `nodeArgs` are for Node.js itself. It writes nothing to standard output, which is the contestant's. */
  constructor(program: URL, args: readonly string[] = [], nodeArgs: readonly string[] = []) {
    this.program = fileURLToPath(program)
    this.child = fork(this.program, [...args], {
      execArgv: [...nodeArgs],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    continueAtExit(this.child)
    this.ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.on('message', (reply) => this.onReply(reply as Reply))
    this.child.on('error', (error) => this.onEnd(error.message))
    this.child.on('exit', (code, signal) => this.onEnd(`ended (${signal ?? code})`))
  }

  /** Of the operating system. */
  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.program} did not start`)
    return this.child.pid
  }

  /** Sends it a signal of the operating system, if it is still there. */
  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Resolves when it has ended. One that was stopped heeds nothing until it goes on. */
  async end(): Promise<void> {
    if (this.child.connected) this.child.disconnect()
    await this.ended
  }

  /** Asks what the child has given `answer` for under this name. @throws what went wrong there, by rejection */
  ask<Answer>(name: string, argument?: unknown): Promise<Answer> {
    const id = ++this.asked
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id)
        reject(new Error(`${this.program} gave no answer in ${ANSWER_WITHIN_MS / 1_000} s: ${name}`))
      }, ANSWER_WITHIN_MS)
      this.waiting.set(id, {
        resolve: (answer) => {
          clearTimeout(timer)
          resolve(answer as Answer)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      const question: Question = { id, name, argument }
      if (this.child.connected) this.child.send(question)
      else this.onEnd('has ended')
    })
  }

  private onReply({ id, answer, error }: Reply): void {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(error))
  }

  private onEnd(how: string): void {
    for (const { reject } of this.waiting.values()) reject(new Error(`${this.program}: ${how}`))
    this.waiting.clear()
  }
}

/** What a child can be asked, by name. It takes what `ask` was given. */
export type Answers = Readonly<Record<string, (argument: never) => unknown>>

/** The child's side. */
export function answer(answers: Answers): void {
  process.on('disconnect', () => process.exit())
  process.on('message', (question) => void reply(question as Question).then((message) => process.send?.(message)))

  async function reply({ id, name, argument }: Question): Promise<Reply> {
    try {
      const found = answers[name]
      if (found === undefined) throw new Error(`there is no answer to ${name}`)
      return { id, answer: await found(argument as never) }
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) }
    }
  }
}
