/**
 * Plays histories on OTP's gen_statem: compiles statem_player.erl into a temporary folder and talks to one `erl` in lines of text.
 */
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Act, History, Key, Message, Observation, Return } from './history.ts'

const SOURCE = fileURLToPath(new URL('statem_player.erl', import.meta.url))

export class Beam {
  private readonly folder: string
  private readonly erl: ChildProcessWithoutNullStreams
  private readonly lines: AsyncIterator<string>
  private complaints = ''

  private constructor(folder: string) {
    this.folder = folder
    const code = ['-noinput', '-pa', folder, '-s', 'statem_player', 'main']
    this.erl = spawn('erl', ['+S', '1', '-noshell', ...code], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.erl.stderr.on('data', (data: Buffer) => {
      this.complaints += data.toString()
    })
    this.erl.on('error', (error) => {
      this.complaints += error.message
    })
    // What can't be written is told by the end of its output.
    this.erl.stdin.on('error', () => undefined)
    this.lines = createInterface({ input: this.erl.stdout })[Symbol.asyncIterator]()
  }

  /** The player, or why there is none. */
  static async start(): Promise<Beam | string> {
    const folder = await mkdtemp(join(tmpdir(), 'pidmesh-statem-'))
    try {
      await promisify(execFile)('erlc', ['-Werror', '-o', folder, SOURCE])
      return new Beam(folder)
    } catch (error) {
      await rm(folder, { recursive: true })
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error
      return 'there is no Erlang on this machine: apt-get install erlang-nox'
    }
  }

  async play(history: History): Promise<Observation> {
    this.erl.stdin.write(`${textOf(history)}.\n`)
    const seen: string[] = []
    for (;;) {
      const { value, done } = await this.lines.next()
      if (done === true) throw new Error(`erl has ended: ${this.complaints}`)
      if (value === 'end') return seen
      seen.push(value)
    }
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => {
      this.erl.once('close', resolve)
    })
    this.erl.stdin.end()
    if (this.erl.exitCode === null) await gone
    await rm(this.folder, { recursive: true })
  }
}

function textOf({ enters, init, returns, messages }: History): string {
  const both = returns.map(({ event, enter }) => `{${returnText(event)},${returnText(enter)}}`)
  return `{${enters},${actsText(init)},[${both.join()}],[${messages.map(messageText).join()}]}`
}

function messageText(message: Message): string {
  switch (message.type) {
    case 'call':
      return `{'$gen_call',{director,${message.call}},${message.content}}`
    case 'cast':
      return `{'$gen_cast',${message.content}}`
    case 'info':
      return `${message.content}`
    case 'fire':
      throw new Error('no timer fires on BEAM')
  }
}

function returnText(given: Return): string {
  switch (given.type) {
    case 'next':
      return `{next_state,${given.state},data,${actsText(given.acts)}}`
    case 'keep':
      return given.acts.length === 0 ? 'keep_state_and_data' : `{keep_state_and_data,${actsText(given.acts)}}`
    case 'repeat':
      return given.acts.length === 0 ? 'repeat_state_and_data' : `{repeat_state,data,${actsText(given.acts)}}`
    case 'stop':
      return `{stop,done}`
    case 'stop_and_reply':
      return `{stop_and_reply,done,${actsText(given.replies)}}`
    case 'bad':
      return 'bad'
  }
}

function actsText(acts: readonly Act[]): string {
  return `[${acts.map(actText).join()}]`
}

const TIMES = { zero: '0', far: '1000000000', infinity: 'infinity' }

const TYPES: Readonly<Record<Key, string>> = {
  state_timeout: 'state_timeout',
  event_timeout: 'timeout',
  'timeout:x': '{timeout,x}',
  'timeout:y': '{timeout,y}',
}

function actText(act: Act): string {
  switch (act.type) {
    case 'reply':
      return `{reply,{director,${act.call}},reply}`
    case 'insert':
      return `{next_event,${act.as},${act.content}}`
    case 'start':
      return `{${TYPES[act.key]},${TIMES[act.time]},${act.content}}`
    case 'update':
      return `{${TYPES[act.key]},update,${act.content}}`
    case 'cancel':
      return `{${TYPES[act.key]},cancel}`
    case 'postpone':
    case 'hibernate':
      return act.type
    case 'bad':
      return '{bad}'
    case 'bad_reply':
      return '{reply,nobody,reply}'
  }
}
