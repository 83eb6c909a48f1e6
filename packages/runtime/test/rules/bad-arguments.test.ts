/**
 * Every public method, given what it can't use: a PidmeshError of the documented code, at the caller, at once, and nothing has happened.
 *
 * BEAM: each of these is a badarg, or a function_clause, of the call.
 */
import { isDeepStrictEqual } from 'node:util'
import { handler, nodeName, Pid, PidmeshError, Ref, startNode, type Context, type Node } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { codeOf, untyped, useLab, type Probe } from './probe.ts'

const lab = useLab()

/** What a method is called with beside the bad argument. */
interface Given {
  readonly node: Node
  /** Of a plain process, so that `receive` is possible. */
  readonly self: Context
  readonly other: Probe
  readonly ref: Ref
  readonly dead: Pid
  readonly remote: Pid
}

type Call = (given: Given, bad: never) => unknown
type Code = 'ERR_BAD_ARGUMENT' | 'ERR_BAD_OPTION' | 'ERR_NOT_REGISTERED' | 'ERR_NAME_TAKEN'

function boobyTrap(): never {
  throw new Error('gotcha')
}

/** An object whose every property throws, and one that can't even be asked what it is. */
const hostile = (): unknown => new Proxy({}, { get: boobyTrap })
const allHostile = (): unknown =>
  new Proxy(
    {},
    {
      get: boobyTrap,
      has: boobyTrap,
      ownKeys: boobyTrap,
      getPrototypeOf: boobyTrap,
      getOwnPropertyDescriptor: boobyTrap,
    },
  )

function cycle(): unknown {
  const object: Record<string, unknown> = {}
  object['self'] = object
  return object
}

const UNDEFINED: Kinds = { undefined: () => undefined }
/** Nothing that any argument can be, but for its one kind. */
const NOT_NULLISH: Kinds = {
  'a symbol': () => Symbol('s'),
  'an array': () => [1],
  'a function': () => () => undefined,
  'a bigint': () => 7n,
  'an object that refers to itself': cycle,
}
const NULL: Kinds = { null: () => null }
const NUMBERS: Kinds = { 7: () => 7, NaN: () => Number.NaN, '-1': () => -1, true: () => true }
const TEXTS: Kinds = { "''": () => '', "'x'": () => 'x' }
const OBJECTS: Kinds = {
  '{}': () => ({}),
  'an object without a prototype': () => Object.create(null) as unknown,
}
/** User code that runs when it is looked at. */
const HOSTILE: Kinds = {
  'a hostile proxy': hostile,
  'a proxy that is hostile in every way': allHostile,
  'a proxy of which nothing is left': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
}
const REFS: Kinds = { 'a reference': ({ ref }) => ref }
const PIDS: Kinds = { 'a pid': ({ other }) => other.pid }
/** Looks like a pid, and was not made by the runtime. */
const FAKE: Kinds = { 'data that looks like a pid': ({ other }) => ({ origin: other.pid.origin, id: other.pid.id }) }

type Kinds = Readonly<Record<string, (given: Given) => unknown>>

/** No process and no reference has such a number: another node would take it for a breach of the protocol. */
const IMPOSSIBLE_NUMBERS = [Number.NaN, 0, -1, 1.5, 2 ** 53, Infinity]
const IMPOSSIBLE_PIDS: Kinds = Object.fromEntries(
  IMPOSSIBLE_NUMBERS.map((id) => [`a pid of the number ${id}`, ({ remote }) => new Pid(remote.origin, id)]),
)
const IMPOSSIBLE_REFS: Kinds = Object.fromEntries(
  IMPOSSIBLE_NUMBERS.map((id) => [`a reference of the number ${id}`, ({ ref }) => new Ref(ref.origin, id)]),
)

const NO_TEXT = { ...UNDEFINED, ...NULL, ...NOT_NULLISH, ...NUMBERS, ...OBJECTS, ...REFS }
const NO_PID = { ...NO_TEXT, ...TEXTS, ...FAKE, ...IMPOSSIBLE_PIDS }
const NO_REF = { ...IMPOSSIBLE_REFS, ...UNDEFINED, ...NULL, ...NOT_NULLISH, ...NUMBERS, ...OBJECTS, ...TEXTS, ...PIDS }
const NO_NAME = { ...NO_TEXT, ...PIDS, "''": TEXTS["''"] ?? boobyTrap, '256 characters': () => 'x'.repeat(256) }
const NO_NUMBER = {
  ...UNDEFINED,
  ...NULL,
  ...NOT_NULLISH,
  ...OBJECTS,
  ...TEXTS,
  ...PIDS,
  NaN: () => Number.NaN,
  '-1': () => -1,
  '-Infinity': () => -Infinity,
  "'7'": () => '7',
}
const NO_FLAG = { ...NULL, ...NOT_NULLISH, ...OBJECTS, ...TEXTS, 0: () => 0, 1: () => 1 }
const NO_OPTIONS = {
  ...NULL,
  7: () => 7,
  "'x'": () => 'x',
  true: () => true,
  'a symbol': () => Symbol('s'),
  'an unknown option': () => ({ unheardOf: true }),
  'a misspelt option': () => ({ Name: 'x' }),
}
const without = (kinds: Kinds, ...names: string[]): Kinds =>
  Object.fromEntries(Object.entries(kinds).filter(([name]) => !names.includes(name)))

/** A name on a node that no process can have. */
const NO_NAME_ON_NODE: Kinds = {
  'a name on no node': () => ({ name: 'x' }),
  'a name on a node that is no text': () => ({ name: 'x', node: 7 }),
  'an empty name on a node': ({ node }) => ({ name: '', node: node.name }),
  'a name on a node that is too long': ({ node }) => ({ name: 'x'.repeat(256), node: node.name }),
}
const NO_TARGET = { ...without(NO_PID, "'x'"), ...NO_NAME_ON_NODE }
const NO_DESTINATION = without(NO_TARGET, 'a reference', "''")
const NO_REASON = without(
  NO_TEXT,
  'an array',
  '{}',
  'an object without a prototype',
  'an object that refers to itself',
  'a reference',
)

const body = (): void => undefined

const TABLE: readonly (readonly [method: string, code: Code, kinds: Kinds, call: Call])[] = [
  ['send(to)', 'ERR_BAD_ARGUMENT', NO_DESTINATION, ({ self }, bad) => self.send(bad, 1)],
  ['Node.send(to)', 'ERR_BAD_ARGUMENT', NO_DESTINATION, ({ node }, bad) => node.send(bad, 1)],
  ['send(name)', 'ERR_NOT_REGISTERED', { nobody: () => 'nobody', ...TEXTS }, ({ self }, bad) => self.send(bad, 1)],

  [
    'Node.exportFunctions(functions)',
    'ERR_BAD_ARGUMENT',
    { undefined: () => undefined, 7: () => 7, null: () => null },
    ({ node }, bad) => node.exportFunctions(bad),
  ],
  [
    'Node.disconnectNode(node)',
    'ERR_BAD_ARGUMENT',
    { ...NO_TEXT, ...PIDS },
    ({ node }, bad) => node.disconnectNode(bad),
  ],
  ['Node.connectNode(node)', 'ERR_BAD_ARGUMENT', { ...NO_TEXT, ...PIDS }, ({ node }, bad) => node.connectNode(bad)],
  [
    'sendAll(to)',
    'ERR_BAD_ARGUMENT',
    { ...NO_TEXT, ...TEXTS, ...PIDS, ...HOSTILE },
    ({ self }, bad) => self.sendAll(bad, 1),
  ],
  ['sendAll([pid])', 'ERR_BAD_ARGUMENT', NO_PID, ({ self, other }, bad) => self.sendAll([other.pid, bad], 1)],
  ['Node.sendAll(to)', 'ERR_BAD_ARGUMENT', { ...NO_TEXT, ...PIDS }, ({ node }, bad) => node.sendAll(bad, 1)],
  ['Node.deriveKeys(purpose)', 'ERR_BAD_ARGUMENT', NO_TEXT, ({ node }, bad) => node.deriveKeys(bad)],
  ['Node.stop(timeoutMs)', 'ERR_BAD_ARGUMENT', without(NO_NUMBER, 'undefined'), ({ node }, bad) => node.stop(bad)],
  [
    'Node.onStop(end)',
    'ERR_BAD_ARGUMENT',
    { undefined: () => undefined, 7: () => 7, null: () => null },
    ({ node }, bad) => node.onStop(bad),
  ],
  [
    'Node.nodes(type)',
    'ERR_BAD_ARGUMENT',
    { ...NULL, ...NUMBERS, ...TEXTS, ...PIDS },
    ({ node }, bad) => node.nodes(bad),
  ],
  ['sendOk(to)', 'ERR_BAD_ARGUMENT', NO_DESTINATION, ({ self }, bad) => self.sendOk(bad, 1)],

  ['receive(selector)', 'ERR_BAD_OPTION', without(NO_OPTIONS, "'x'"), ({ self }, bad) => self.receive(bad)],
  ['receive(tag, options)', 'ERR_BAD_OPTION', NO_OPTIONS, ({ self }, bad) => self.receive('tag', bad)],
  [
    'receive({ match })',
    'ERR_BAD_ARGUMENT',
    without({ ...NULL, ...NOT_NULLISH, ...NUMBERS, ...TEXTS, ...OBJECTS }, 'a function'),
    ({ self }, match) => self.receive({ match }),
  ],
  [
    'receive({ timeoutMs })',
    'ERR_BAD_ARGUMENT',
    without(NO_NUMBER, 'undefined'),
    ({ self }, timeoutMs) => self.receive({ timeoutMs }),
  ],
  [
    'receive(tag, { timeoutMs })',
    'ERR_BAD_ARGUMENT',
    without(NO_NUMBER, 'undefined'),
    ({ self }, timeoutMs) => self.receive('tag', { timeoutMs }),
  ],

  ['exit(reason)', 'ERR_BAD_ARGUMENT', NO_REASON, ({ self }, bad) => self.exit(bad)],
  ['exit(pid, reason): the reason', 'ERR_BAD_ARGUMENT', NO_REASON, ({ self, other }, bad) => self.exit(other.pid, bad)],
  [
    'exit(pid, reason): the reason, of a dead process',
    'ERR_BAD_ARGUMENT',
    NO_REASON,
    ({ self, dead }, bad) => self.exit(dead, bad),
  ],
  ['exit(pid, reason): the pid', 'ERR_BAD_ARGUMENT', NO_PID, ({ self }, bad) => self.exit(bad, 'boom')],
  ['Node.exit(pid, reason): the pid', 'ERR_BAD_ARGUMENT', NO_PID, ({ node }, bad) => node.exit(bad, 'boom')],
  [
    'Node.exit(pid, reason): the reason',
    'ERR_BAD_ARGUMENT',
    NO_REASON,
    ({ node, other }, bad) => node.exit(other.pid, bad),
  ],

  ['link(pid)', 'ERR_BAD_ARGUMENT', NO_PID, ({ self }, bad) => self.link(bad)],
  ['unlink(pid)', 'ERR_BAD_ARGUMENT', NO_PID, ({ self }, bad) => self.unlink(bad)],

  ['monitor(object)', 'ERR_BAD_ARGUMENT', NO_TARGET, ({ self }, bad) => self.monitor(bad)],
  [
    'monitor(object) with an alias',
    'ERR_BAD_ARGUMENT',
    NO_TARGET,
    ({ self }, bad) => self.monitor(bad, { alias: 'reply_demonitor' }),
  ],
  ['monitor(object, options)', 'ERR_BAD_OPTION', NO_OPTIONS, ({ self, other }, bad) => self.monitor(other.pid, bad)],
  [
    'monitor(object, { alias })',
    'ERR_BAD_OPTION',
    { ...NULL, ...NOT_NULLISH, ...NUMBERS, ...TEXTS, ...OBJECTS },
    ({ self, other }, alias) => self.monitor(other.pid, { alias }),
  ],
  ['demonitor(ref)', 'ERR_BAD_ARGUMENT', NO_REF, ({ self }, bad) => self.demonitor(bad)],
  ['demonitor(ref, options)', 'ERR_BAD_OPTION', NO_OPTIONS, ({ self, ref }, bad) => self.demonitor(ref, bad)],
  ['demonitor(ref, { flush })', 'ERR_BAD_OPTION', NO_FLAG, ({ self, ref }, flush) => self.demonitor(ref, { flush })],
  ['demonitor(ref, { info })', 'ERR_BAD_OPTION', NO_FLAG, ({ self, ref }, info) => self.demonitor(ref, { info })],

  ['alias(options)', 'ERR_BAD_OPTION', NO_OPTIONS, ({ self }, bad) => self.alias(bad)],
  ['alias({ reply })', 'ERR_BAD_OPTION', NO_FLAG, ({ self }, reply) => self.alias({ reply })],
  ['unalias(ref)', 'ERR_BAD_ARGUMENT', NO_REF, ({ self }, bad) => self.unalias(bad)],

  ...(['spawn', 'spawnLink', 'spawnMonitor'] as const).flatMap((method): (typeof TABLE)[number][] => [
    [`${method}(body)`, 'ERR_BAD_ARGUMENT', without(NO_PID, 'a function'), ({ self }, bad) => self[method](bad)],
    [`${method}(body, options)`, 'ERR_BAD_OPTION', NO_OPTIONS, ({ self }, bad) => self[method](body, bad)],
    [
      `${method}(body, { name })`,
      'ERR_BAD_ARGUMENT',
      without(NO_NAME, 'undefined'),
      ({ self }, name) => self[method](body, { name }),
    ],
    [
      `${method}(body, { name }): a name that is taken`,
      'ERR_NAME_TAKEN',
      { taken: () => 'taken' },
      ({ self }, name) => self[method](body, { name }),
    ],
    [
      `${method}(body, { label })`,
      'ERR_BAD_OPTION',
      without(NO_TEXT, 'undefined'),
      ({ self }, label) => self[method](body, { name: 'spare', label }),
    ],
    [
      `${method}(body, { trapExit })`,
      'ERR_BAD_OPTION',
      NO_FLAG,
      ({ self }, trapExit) => self[method](body, { name: 'spare', trapExit }),
    ],
    [
      `${method}(body, { mailbox })`,
      'ERR_BAD_OPTION',
      NO_OPTIONS,
      ({ self }, mailbox) => self[method](body, { name: 'spare', mailbox }),
    ],
    [
      `${method}(body, { mailbox: { limit } })`,
      'ERR_BAD_OPTION',
      { ...without(NO_NUMBER, 'undefined'), 0: () => 0 },
      ({ self }, limit) => self[method](body, { mailbox: { limit } }),
    ],
    [
      `${method}(body, { mailbox: { policy } })`,
      'ERR_BAD_OPTION',
      without(NO_PID, 'undefined'),
      ({ self }, policy) => self[method](body, { mailbox: { policy } }),
    ],
  ]),
  ['Node.spawn(body)', 'ERR_BAD_ARGUMENT', without(NO_PID, 'a function'), ({ node }, bad) => node.spawn(bad)],
  ['Node.spawn(body, options)', 'ERR_BAD_OPTION', NO_OPTIONS, ({ node }, bad) => node.spawn(body, bad)],
  ['handler(init)', 'ERR_BAD_ARGUMENT', without(NO_PID, 'a function'), (_given, bad) => handler(bad)],

  [
    'register(name)',
    'ERR_BAD_ARGUMENT',
    { ...NO_NAME, "'undefined'": () => 'undefined' },
    ({ self }, bad) => self.register(bad),
  ],
  [
    'register(name, pid)',
    'ERR_BAD_ARGUMENT',
    {
      ...without(NO_PID, 'undefined'),
      'a dead process': ({ dead }) => dead,
      'a process of another node': ({ remote }) => remote,
    },
    ({ self }, bad) => self.register('spare', bad),
  ],
  [
    'register(name): a name that is taken',
    'ERR_NAME_TAKEN',
    { taken: () => 'taken' },
    ({ self }, bad) => self.register(bad),
  ],
  ['Node.register(name)', 'ERR_BAD_ARGUMENT', NO_NAME, ({ node, self }, bad) => node.register(bad, self.pid)],
  // Without the default of Context.register: the main process is nobody's default.
  ['Node.register(name, pid)', 'ERR_BAD_ARGUMENT', NO_PID, ({ node }, bad) => node.register('spare', bad)],
  ['unregister(name)', 'ERR_BAD_ARGUMENT', { ...NO_TEXT, ...PIDS }, ({ self }, bad) => self.unregister(bad)],
  [
    'unregister(name) that nobody has',
    'ERR_NOT_REGISTERED',
    { nobody: () => 'nobody', ...TEXTS },
    ({ self }, bad) => self.unregister(bad),
  ],
  ['whereis(name)', 'ERR_BAD_ARGUMENT', { ...NO_TEXT, ...PIDS }, ({ self }, bad) => self.whereis(bad)],

  [
    'isProcessAlive(pid)',
    'ERR_BAD_ARGUMENT',
    { ...NO_PID, 'a process of another node': ({ remote }) => remote },
    ({ self }, bad) => self.isProcessAlive(bad),
  ],
  [
    'processInfo(pid)',
    'ERR_BAD_ARGUMENT',
    { ...NO_PID, 'a process of another node': ({ remote }) => remote },
    ({ self }, bad) => self.processInfo(bad),
  ],
  [
    'processInfo(pid, options)',
    'ERR_BAD_OPTION',
    NO_OPTIONS,
    ({ self, other }, bad) => self.processInfo(other.pid, bad),
  ],
  [
    'processInfo(pid, options) of a dead process',
    'ERR_BAD_OPTION',
    NO_OPTIONS,
    ({ self, dead }, bad) => self.processInfo(dead, bad),
  ],
  [
    'processInfo(pid, { messages })',
    'ERR_BAD_OPTION',
    without(NO_NUMBER, 'undefined'),
    ({ self, other }, messages) => self.processInfo(other.pid, { messages }),
  ],

  ...(['sendAfter', 'startTimer'] as const).flatMap((method): (typeof TABLE)[number][] => [
    [
      `${method}(delayMs)`,
      'ERR_BAD_ARGUMENT',
      { ...NO_NUMBER, Infinity: () => Infinity },
      ({ self }, bad) => self[method](bad, self.pid, 1),
    ],
    [
      `${method}(delayMs) to a name`,
      'ERR_BAD_ARGUMENT',
      { ...NO_NUMBER, Infinity: () => Infinity },
      ({ self }, bad) => self[method](bad, 'name', 1),
    ],
    [
      `${method}(delayMs) to a dead process`,
      'ERR_BAD_ARGUMENT',
      { ...NO_NUMBER, Infinity: () => Infinity },
      ({ self, dead }, bad) => self[method](bad, dead, 1),
    ],
    [
      `${method}(delayMs, to)`,
      'ERR_BAD_ARGUMENT',
      {
        ...without(NO_PID, "'x'"),
        'a process of another node': ({ remote }) => remote,
        'a name on a node': ({ node }) => ({ name: 'taken', node: node.name }),
      },
      ({ self }, bad) => self[method](1, bad, 1),
    ],
  ]),
  ['cancelTimer(ref)', 'ERR_BAD_ARGUMENT', NO_REF, ({ self }, bad) => self.cancelTimer(bad)],
  ['readTimer(ref)', 'ERR_BAD_ARGUMENT', NO_REF, ({ self }, bad) => self.readTimer(bad)],

  ['request(target)', 'ERR_BAD_ARGUMENT', NO_TARGET, ({ self }, bad) => self.request(bad, () => 1, 1_000)],
  ['awaitDown(object)', 'ERR_BAD_ARGUMENT', NO_TARGET, ({ self }, bad) => self.awaitDown(bad, 1_000)],
  [
    'awaitDown(object, timeoutMs)',
    'ERR_BAD_ARGUMENT',
    NO_NUMBER,
    ({ self, other }, bad) => self.awaitDown(other.pid, bad),
  ],
  ['openRequest(target)', 'ERR_BAD_ARGUMENT', NO_TARGET, ({ self }, bad) => self.openRequest(bad, () => 1)],
  [
    'openRequest(target, build)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self, other }, bad) => self.openRequest(other.pid, bad),
  ],
  ['awaitAny(requests)', 'ERR_BAD_ARGUMENT', NO_PID, ({ self }, bad) => self.awaitAny(bad, 1_000)],
  ['awaitAny(requests, timeoutMs)', 'ERR_BAD_ARGUMENT', NO_NUMBER, ({ self }, bad) => self.awaitAny([], bad)],
  ['awaitAnswer(target)', 'ERR_BAD_ARGUMENT', NO_PID, ({ self }, bad) => self.awaitAnswer(bad, () => 1, 1_000, String)],
  [
    'awaitAnswer(target, tell)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self, other }, bad) => self.awaitAnswer(other.pid, bad, 1_000, String),
  ],
  [
    'awaitAnswer(target, tell, timeoutMs)',
    'ERR_BAD_ARGUMENT',
    NO_NUMBER,
    ({ self, other }, bad) => self.awaitAnswer(other.pid, () => 1, bad, String),
  ],
  [
    'awaitAnswer(target, tell, timeoutMs, read)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self, other }, bad) => self.awaitAnswer(other.pid, () => 1, 1_000, bad),
  ],
  ['requestAs(target)', 'ERR_BAD_ARGUMENT', NO_TARGET, ({ self }, bad) => self.requestAs(bad, () => 1, 1_000, String)],
  [
    'requestAs(target, build)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self, other }, bad) => self.requestAs(other.pid, bad, 1_000, String),
  ],
  [
    'requestAs(target, build, timeoutMs)',
    'ERR_BAD_ARGUMENT',
    NO_NUMBER,
    ({ self, other }, bad) => self.requestAs(other.pid, () => 1, bad, String),
  ],
  [
    'requestAs(target, build, timeoutMs, read)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self, other }, bad) => self.requestAs(other.pid, () => 1, 1_000, bad),
  ],
  ['refuse(replyTo)', 'ERR_BAD_ARGUMENT', NO_REF, ({ self }, bad) => self.refuse(bad, 'x')],
  ['tagRemote(tag)', 'ERR_BAD_ARGUMENT', without(NO_PID, 'a function'), ({ self }, bad) => self.tagRemote(bad)],
  ['drained(node)', 'ERR_BAD_ARGUMENT', { ...NO_TEXT, ...PIDS }, ({ self }, bad) => self.drained(bad)],
  [
    'attachTable(listener)',
    'ERR_BAD_OPTION',
    { ...UNDEFINED, ...NO_OPTIONS },
    ({ self }, bad) => self.attachTable(bad),
  ],
  [
    'attachTable(listener.onNodeDown)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self }, bad) => self.attachTable({ onProcessEnd: () => undefined, onNodeDown: bad }),
  ],
  ['within(promise)', 'ERR_BAD_ARGUMENT', NO_PID, ({ self }, bad) => self.within(bad, 1_000)],
  [
    'within(promise, timeoutMs)',
    'ERR_BAD_ARGUMENT',
    NO_NUMBER,
    ({ self }, bad) => self.within(Promise.resolve(1), bad),
  ],
  ['finish(reason)', 'ERR_BAD_ARGUMENT', NO_REASON, ({ self }, bad) => self.finish(bad)],
  ['Node.request(target)', 'ERR_BAD_ARGUMENT', NO_TARGET, ({ node }, bad) => node.request(bad, () => 1, 1_000)],
  [
    'request(target, build)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self, other }, bad) => self.request(other.pid, bad, 1_000),
  ],
  [
    'request(target, build, timeoutMs)',
    'ERR_BAD_ARGUMENT',
    NO_NUMBER,
    ({ self, other }, bad) => self.request(other.pid, () => 1, bad),
  ],

  ['monitorNodes(on, options)', 'ERR_BAD_OPTION', NO_OPTIONS, ({ self }, bad) => self.monitorNodes(true, bad)],
  [
    'monitorNodes({ nodeType })',
    'ERR_BAD_OPTION',
    { ...NULL, ...NUMBERS, ...TEXTS },
    ({ self }, nodeType) => self.monitorNodes(true, { nodeType }),
  ],
  ['monitorNodes(on)', 'ERR_BAD_ARGUMENT', { ...UNDEFINED, ...NO_FLAG }, ({ self }, bad) => self.monitorNodes(bad)],
  [
    'monitorNode(node)',
    'ERR_BAD_ARGUMENT',
    { ...NO_TEXT, ...TEXTS, ...PIDS },
    ({ self }, bad) => self.monitorNode(bad, true),
  ],
  [
    'monitorNode(node, on)',
    'ERR_BAD_ARGUMENT',
    { ...UNDEFINED, ...NO_FLAG },
    ({ self, node }, bad) => self.monitorNode(node.name, bad),
  ],

  ['label =', 'ERR_BAD_ARGUMENT', { ...without(NO_TEXT, 'undefined'), ...PIDS }, ({ self }, bad) => (self.label = bad)],
  ['trapExit =', 'ERR_BAD_ARGUMENT', { ...UNDEFINED, ...NO_FLAG }, ({ self }, bad) => (self.trapExit = bad)],

  [
    'attachTelemetry(listener)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self }, bad) => self.attachTelemetry(bad),
  ],
  [
    'instrumentTelemetry(instrument)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self }, bad) => self.instrumentTelemetry(bad),
  ],
  ['attachRoot(stop)', 'ERR_BAD_ARGUMENT', without(NO_PID, 'a function'), ({ self }, bad) => self.attachRoot(bad)],
  ['perNode(kind)', 'ERR_BAD_ARGUMENT', without(NO_PID, 'a function'), ({ self }, bad) => self.perNode(bad)],
  [
    'inMessageContext(run)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ self }, bad) => self.inMessageContext(bad),
  ],

  [
    'Node.trace(who)',
    'ERR_BAD_ARGUMENT',
    { ...NO_PID, 'a dead process': ({ dead }) => dead, 'a process of another node': ({ remote }) => remote },
    ({ node }, bad) => node.trace(bad, {}, () => undefined),
  ],
  [
    'Node.trace(who, options)',
    'ERR_BAD_OPTION',
    { ...UNDEFINED, ...NO_OPTIONS },
    ({ node }, bad) => node.trace('all', bad, () => undefined),
  ],
  [
    'Node.trace(who, { send })',
    'ERR_BAD_OPTION',
    NO_FLAG,
    ({ node }, send) => node.trace('all', { send }, () => undefined),
  ],
  [
    'Node.trace(who, options, listener)',
    'ERR_BAD_ARGUMENT',
    without(NO_PID, 'a function'),
    ({ node }, bad) => node.trace('all', {}, bad),
  ],
]

async function given(): Promise<Given> {
  const { node } = lab
  const b = await lab.cluster.start('b')
  const self = await lab.deaf()
  const other = await lab.probe(false)
  const dead = await lab.dead()
  node.spawn(
    handler(() => () => undefined),
    { name: 'taken' },
  )
  await lab.settle()
  return { node, self, other, ref: self.alias(), dead, remote: b.spawn(handler(() => () => undefined)) }
}

/** All that a bad call could have changed. */
function stateOf({ node, self, other }: Given): unknown {
  const { turns: _turns, ...counters } = node.counters()
  const infos = node.processes().map((pid) => node.processInfo(pid, { messages: 10 }))
  return { counters, infos, names: node.registered(), alive: [self.isAlive, other.self.isAlive] }
}

/** The code of what the call throws, if that is ours and nothing has happened. */
function outcomeOf(all: Given, call: Call, bad: unknown): unknown {
  const before = stateOf(all)
  try {
    const outcome = call(all, untyped(bad))
    if (outcome instanceof Promise) outcome.catch(() => undefined)
    return 'nothing thrown'
  } catch (error) {
    if (!(error instanceof PidmeshError)) return `not ours: ${String(error)}`
    return isDeepStrictEqual(stateOf(all), before) ? error.code : `${error.code}, and it has changed something`
  }
}

describe('Bad arguments throw the documented error code synchronously, and have no effect', () => {
  it.each(TABLE)('%s: %s', async (_method, code, kinds, call) => {
    const all = await given()
    const outcomes: Record<string, unknown> = {}
    const faults = await faultsOf(async () => {
      for (const [kind, make] of Object.entries(kinds)) outcomes[kind] = outcomeOf(all, call, make(all))
      await lab.settle()
    })
    expect(outcomes).toEqual(Object.fromEntries(Object.keys(kinds).map((kind) => [kind, code])))
    expect(faults).toEqual([])
  })

  // What stands for a name may be any text, and what stands for a reason or an option any object: a proxy is one.
  const asked = TABLE.filter(([, code, kinds]) => '{}' in kinds || code === 'ERR_BAD_OPTION')

  it.each(Object.entries(HOSTILE))('also what runs user code when it is looked at: %s', async (kind, make) => {
    const all = await given()
    const outcomes: Record<string, unknown> = {}
    const rows = kind === 'a hostile proxy' ? asked.filter(([, , kinds]) => '{}' in kinds) : asked
    for (const [method, , , call] of rows) outcomes[method] = outcomeOf(all, call, make(all))
    expect(outcomes).toEqual(Object.fromEntries(rows.map(([method, code]) => [method, code])))
  })

  it('the table names every method that takes an argument', () => {
    const methods = (object: object): string[] =>
      Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(object) as object)).flatMap(
        ([name, { value, set }]) =>
          (typeof value === 'function' && (value as { length: number }).length > 0) || set !== undefined ? [name] : [],
      )
    const tried = new Set(TABLE.map(([method]) => /^(?:Node\.)?(\w+)/.exec(method)?.[1]))
    const inner = ['constructor', 'isOurs', 'openAlias', 'startTimerOf', 'judgeSeed', 'connectionLost', 'stopOnce']
    const untried = [...methods(lab.node.self), ...methods(lab.node)].filter((name) => !tried.has(name))
    expect(untried.filter((name) => !inner.includes(name))).toEqual([])
  })

  it('`receive` with its options in the wrong place is an error, not a receive without them', async () => {
    const { self } = await given()
    expect(codeOf(() => self.receive(untyped(undefined), { timeoutMs: 5 }))).toMatch(/^ERR_BAD_(ARGUMENT|OPTION)$/)
    expect(codeOf(() => self.receive(untyped({}), { timeoutMs: 5 }))).toMatch(/^ERR_BAD_(ARGUMENT|OPTION)$/)
  })

  it.each(['the body', 'the name', 'the options'])(
    '`spawn`: %s is bad, and the name that was asked for stays free',
    async (what) => {
      const { self } = await given()
      const wrong: Record<string, () => unknown> = {
        'the body': () => self.spawn(untyped(7), { name: 'spare' }),
        'the name': () => self.spawn(body, { name: 'taken', label: 'x' }),
        'the options': () => self.spawn(body, untyped({ name: 'spare', mailbox: { limit: 0 } })),
      }
      expect(codeOf(wrong[what] ?? boobyTrap)).toMatch(/^ERR_/)
      expect(self.whereis('spare')).toBeUndefined()
    },
  )

  it('a bad argument ends the process that lets the error escape, and nobody else', async () => {
    const end = await lab.endOf(() => lab.node.spawn((self) => self.link(untyped(7))))
    expect(end).toMatchObject({ error: { name: 'PidmeshError', code: 'ERR_BAD_ARGUMENT' } })
    expect(lab.node.processes()).toHaveLength(2)
  })

  it.each(Object.entries(without({ ...NO_TEXT, ...TEXTS, ...HOSTILE }, 'a reference')))(
    '`nodeName`: %s is ERR_BAD_NODE_NAME',
    (_kind, make) => {
      expect(codeOf(() => nodeName(untyped(make(untyped(undefined)))))).toBe('ERR_BAD_NODE_NAME')
    },
  )

  it.each(['undefined', 'null', '7', 'a symbol', 'a proxy that is hostile in every way'])(
    '`startNode`: options that are none are an error of ours: %s',
    async (kind) => {
      const kinds: Kinds = { ...UNDEFINED, ...NULL, ...NUMBERS, ...NOT_NULLISH, ...HOSTILE }
      const bad = untyped(kinds[kind]?.(untyped(undefined)))
      // What has no options has no name either.
      await expect(startNode(bad)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_BAD_(OPTION|NODE_NAME)$/),
      })
    },
  )

  it.each([
    ['logger', null],
    ['propagation', null],
    ['propagation', { capture: () => undefined }],
    ['seeds', null],
    ['bindHost', 7],
    ['allowInsecureBind', 'no'],
    ['mailbox', null],
    ['turnBudgetMs', 0],
    ['turnBudgetMs', '5'],
    ['busyWait', 'none'],
    ['longScheduleMs', Number.NaN],
    ['netTickTimeMs', Infinity],
    ['cookie', 12_345_678],
    ['port', '7001'],
    ['logLevel', 'loud'],
    ['advertise', 7],
  ])('`startNode`: %s %s is ERR_BAD_OPTION', async (option, value) => {
    const starting = startNode(
      untyped({ name: 'x@127.0.0.1', cookie: 'test-cookie', logLevel: 'silent', [option]: value }),
    )
    const outcome = await starting.then(
      async (node) => {
        await node.stop()
        return 'started'
      },
      (error: unknown): unknown => (error instanceof PidmeshError ? error.code : error),
    )
    expect(outcome).toBe('ERR_BAD_OPTION')
  })
})
