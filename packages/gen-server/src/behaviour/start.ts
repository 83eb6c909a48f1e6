/**
 * How a server of any behaviour starts: OTP's `gen:start` and `proc_lib:init_ack`.
 *
 *   launch ──spawn──▶ the new process
 *     │                 1. registers its name (a local one is its own from the spawn on)   taken ─▶ already_started
 *     │                 2. init(self) ─▶ a behaviour | stop | ignore | throws
 *     │                 3. gives its name back, if there is no behaviour
 *     ◀─── ready ────── 4. says so, or ends
 *                       5. behaviour.begin(), then messages
 *
 * Invariants: messages wait until `begin` is done. Before a failed start is reported the process has ended and its name is free, in a `Via` too. A start that
 * takes too long is killed. Whoever is killed while it waits for a start takes nobody with it.
 */
import {
  assertNever,
  formatReason,
  handler,
  PidmeshError,
  reasonOfThrown,
  ViaName,
  type Context,
  type HandlerBody,
  type MessageHandler,
  type Pid,
  type Ref,
  type RequestOutcome,
  type SpawnOptions,
} from '@pidmesh/runtime'
import { badOption, checkOptions } from '../arguments.ts'
import { StartError } from '../errors.ts'
import { tellStarted, tellStartFailed } from '../observed.ts'
import { refused } from '../unawaited.ts'
import type { Init, Initialised } from './behaviour.ts'
import { ServerLoop } from './loop.ts'

export interface StartOptions {
  /** Registers the server, on this node or in a `Via`, before `init` runs. */
  readonly name?: string | ViaName | undefined
  /** Milliseconds that `init` may take before the process is killed. @default Infinity */
  readonly timeoutMs?: number | undefined
  /** A text for logs and observation. @default none */
  readonly label?: string | undefined
  /** Starts out trapping exits, so that `terminate` runs when the parent exits. @default false */
  readonly trapExit?: boolean | undefined
  /** How many messages may wait, and what happens to one more. @default the node's `mailbox` option */
  readonly mailbox?: SpawnOptions['mailbox'] | undefined
}

/** How a server and the one who starts it are bound. Only to one that it is linked to is a server's starter its parent. */
export type Bond = 'none' | 'link' | 'monitor'

export type Launched =
  | {
      readonly type: 'started'
      readonly pid: Pid
      /** Of the bond `monitor`. */
      readonly ref: Ref | undefined
    }
  | { readonly type: 'ignore' }

/** What `launch` and the new process tell each other besides messages. Both are of the same node. */
interface Report {
  /** Where it is waited for the start. Set before the new process runs. */
  replyTo: Ref | undefined
  /** The process that wants a monitor. */
  readonly watcher: Context | undefined
  /** Its monitor. Made when the start has succeeded, so that a failed one is told as an error, and not as a `DOWN` besides; and before the server can end. */
  watch: Ref | undefined
  ending: { readonly type: 'ignore' } | { readonly type: 'already_started'; readonly pid: Pid | undefined } | undefined
  /** The new process has given back its name in a `Via`, or has tried to for long enough. */
  isNameGivenBack: boolean
}

/** How long a `Via` is waited for that is to give a name back, or to say who has it. */
const VIA_MS = 5_000

const OPTIONS: ReadonlySet<string> = new Set<keyof StartOptions>(['name', 'timeoutMs', 'label', 'trapExit', 'mailbox'])

/**
 * Starts a server, and waits until it has.
 * @throws StartError by rejection: `ERR_ALREADY_STARTED` (with the pid that has the name), `ERR_START_FAILED` (with the reason), `ERR_START_TIMEOUT`
 * @throws PidmeshError by rejection: `ERR_BAD_OPTION`, `ERR_BAD_ARGUMENT`; ProcessExited if the caller ends first
 */
export function launch(self: Context, bond: Bond, init: Init, options: StartOptions): Promise<Launched> {
  return launchAs({ self, bond, init, options }, (launched) => launched)
}

export interface Launch {
  readonly self: Context
  readonly bond: Bond
  readonly init: Init
  readonly options: StartOptions
}

/** As `launch`, and makes something of the outcome. */
export function launchAs<Outcome>(launch: Launch, make: (launched: Launched) => Outcome): Promise<Outcome> {
  try {
    return begin(launch, make)
  } catch (thrown) {
    return refused(thrown)
  }
}

/** No async function: most servers are started when their process has had its first turn, and shouldn't pay for more. */
function begin<Outcome>(
  { self, bond, init, options }: Launch,
  make: (launched: Launched) => Outcome,
): Promise<Outcome> {
  checkStart(options)
  const { name, timeoutMs = Infinity } = options
  const watcher = bond === 'monitor' ? self : undefined
  const report: Report = { replyTo: undefined, watcher, watch: undefined, ending: undefined, isNameGivenBack: false }
  const parent = bond === 'link' ? self.pid : undefined
  const pid = spawn(self, bond, bodyOf(init, { name, parent, report }), options)
  return self.awaitAnswer<Outcome>(
    pid,
    (replyTo) => void (report.replyTo = replyTo),
    timeoutMs,
    (outcome) =>
      outcome.type === 'reply'
        ? make({ type: 'started', pid, ref: report.watch })
        : notStarted(self, outcome, { bond, pid, name, report }).then(make),
  )
}

interface Starting {
  readonly bond: Bond
  readonly pid: Pid
  readonly name: string | ViaName | undefined
  readonly report: Report
}

async function notStarted(
  self: Context,
  outcome: Exclude<RequestOutcome, { type: 'reply' }>,
  { bond, pid, name, report }: Starting,
): Promise<Launched> {
  // What it has to do is no part of what it is told in: the end of the process, or a timer.
  await Promise.resolve()
  if (outcome.type === 'timeout') {
    // As in OTP: that it takes too long is told once, by the rejection, and not by an exit signal or a `DOWN` besides.
    if (bond === 'link') self.unlink(pid)
    if (report.watch !== undefined) self.demonitor(report.watch, { flush: true })
    self.exit(pid, 'kill')
    await self.awaitDown(pid, Infinity)
  }
  if (name instanceof ViaName && report.ending?.type !== 'already_started' && !report.isNameGivenBack)
    await giveBackInTime(self, name, pid)
  const { ending } = report
  if (ending?.type === 'ignore') return { type: 'ignore' }
  if (ending !== undefined) throw new StartError('ERR_ALREADY_STARTED', 'already_started', ending.pid, plainName(name))
  if (outcome.type === 'timeout') throw new StartError('ERR_START_TIMEOUT', 'timeout')
  throw new StartError('ERR_START_FAILED', outcome.reason)
}

/** A name without where it is kept. */
export function plainName<Name extends string | undefined>(name: Name | ViaName): Name | string {
  return name instanceof ViaName ? name.name : name
}

function spawn(self: Context, bond: Bond, body: HandlerBody, { name, label, trapExit, mailbox }: StartOptions): Pid {
  const isPlain = typeof name !== 'string' && label === undefined && trapExit === undefined && mailbox === undefined
  const options = isPlain
    ? undefined
    : {
        ...(typeof name === 'string' ? { name } : {}),
        ...(label === undefined ? {} : { label }),
        ...(trapExit === undefined ? {} : { trapExit }),
        ...(mailbox === undefined ? {} : { mailbox }),
      }
  try {
    return bond === 'link' ? self.spawnLink(body, options) : self.spawn(body, options)
  } catch (error) {
    if (typeof name !== 'string' || !(error instanceof PidmeshError) || error.code !== 'ERR_NAME_TAKEN') throw error
    throw new StartError('ERR_ALREADY_STARTED', 'already_started', self.whereis(name), name)
  }
}

interface BodyOptions {
  readonly name: string | ViaName | undefined
  readonly parent: Pid | undefined
  readonly report: Report
}

function bodyOf(init: Init, { name, parent, report }: BodyOptions): HandlerBody {
  return handler((self): MessageHandler | Promise<MessageHandler> => {
    const beganMs = self.telemetry === undefined ? undefined : self.monotonicMs()
    const enter = (initialised: Initialised): MessageHandler | Promise<MessageHandler> => {
      switch (initialised.type) {
        case 'ok': {
          const loop = new ServerLoop({ self, behaviour: initialised.behaviour, parent })
          if (self.isAlive) {
            const tookMs = beganMs === undefined ? undefined : self.monotonicMs() - beganMs
            tellStarted(self, initialised.behaviour, tookMs)
          }
          // Neither of a caller nor of a process that has been killed while `init` was under way.
          if (self.isAlive && report.watcher?.isAlive === true) report.watch = report.watcher.monitor(self.pid)
          if (report.replyTo !== undefined) self.send(report.replyTo, 'ready')
          return loop.start()
        }
        case 'stop':
          tellStartFailed(self, initialised.reason)
          if (report.ending?.type !== 'already_started') return self.exit(initialised.reason)
          // As in OTP, which looks before there is a process: that the name is taken is told to who starts it, and not by an exit signal besides.
          if (parent !== undefined && self.isAlive) self.unlink(parent)
          return self.exit('normal')
        case 'ignore':
          report.ending = initialised
          return self.exit('normal')
        default:
          return assertNever(initialised)
      }
    }
    const fail = (thrown: unknown): never => {
      if (self.isAlive) tellStartFailed(self, reasonOfThrown(thrown))
      throw thrown
    }
    let initialised: Initialised | Promise<Initialised>
    try {
      initialised = name instanceof ViaName ? initUnder(name, self, () => init(self), report) : init(self)
    } catch (thrown) {
      return fail(thrown)
    }
    return initialised instanceof Promise ? initialised.then(enter, fail) : enter(initialised)
  })
}

/** Registers the process in a `Via`, and gives the name back if there is to be no server. */
async function initUnder(
  name: ViaName,
  self: Context,
  init: () => Initialised | Promise<Initialised>,
  report: Report,
): Promise<Initialised> {
  const answer = await name.via.registerName(name.name, self.pid)
  if (!self.isAlive) {
    // Whoever ended it may have looked for the name before it was there.
    if (answer === 'yes') await giveBack(name, self.pid)
    return { type: 'stop', reason: 'killed' }
  }
  if (answer !== 'yes') {
    const pid = await holderInTime(self, name)
    report.ending = { type: 'already_started', pid }
    return { type: 'stop', reason: { already_started: pid } }
  }
  const giveUp = async (): Promise<void> => {
    if (!self.isAlive) return
    await giveBackInTime(self, name, self.pid)
    report.isNameGivenBack = true
  }
  try {
    const initialised = await init()
    if (initialised.type !== 'ok') await giveUp()
    return initialised
  } catch (thrown) {
    await giveUp()
    throw thrown
  }
}

/** Who has the name, as far as the `Via` says so in time. */
async function holderInTime(self: Context, name: ViaName): Promise<Pid | undefined> {
  const asked = (async (): Promise<Pid | undefined> => name.via.resolveName(name.name))()
  try {
    const outcome = await self.within(asked, VIA_MS)
    return outcome.type === 'value' ? outcome.value : undefined
  } catch (thrown) {
    if (!self.isAlive) throw thrown
    return undefined
  }
}

/** A `Via` that fails or doesn't answer is no reason not to tell of a start that has failed, and why. */
async function giveBackInTime(self: Context, name: ViaName, pid: Pid): Promise<void> {
  try {
    const outcome = await self.within(giveBack(name, pid), VIA_MS)
    if (outcome.type === 'timeout')
      self.log.warn({ name: name.name }, 'the name of a server that has not started is not given back yet')
  } catch (thrown) {
    if (!self.isAlive) throw thrown
    self.log.warn({ name: name.name }, `a name could not be given back: ${formatReason(reasonOfThrown(thrown))}`)
  }
}

/** For this process only: others may have the name as well, or have taken it over. */
async function giveBack(name: ViaName, pid: Pid): Promise<void> {
  await name.via.unregisterName(name.name, pid)
}

/** @throws PidmeshError `ERR_BAD_OPTION`. `label`, `trapExit` and `mailbox` are options of `spawn`, and checked there. */
export function checkStart(options: StartOptions): void {
  checkOptions('a start', options, OPTIONS)
  const { name, timeoutMs } = options
  if (name !== undefined && typeof name !== 'string' && !(name instanceof ViaName))
    throw badOption('name must be a text, or a name in a Via')
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0))
    throw badOption('timeoutMs must be a number of milliseconds, 0 or more')
}
