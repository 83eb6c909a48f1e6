/**
 * What the documents list is what there is.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseSync, Visitor, type Expression } from 'oxc-parser'
import { describe, expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)
/** What is installed, and what is made. */
const NOT_OURS = new Set(['node_modules', 'dist', 'reports', 'results'])
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** What those who use a package give, and what they may read, and the document that has it. */
const FIELDS: readonly (readonly [interfaces: string, source: string, document: string])[] = [
  ['NodeOptions', 'runtime/src/options.ts', 'docs/operations.md'],
  ['GatewayOptions', 'ws-gateway/src/options.ts', 'docs/gateway.md'],
  ['ResumeOptions', 'ws-gateway/src/session-hub.ts', 'docs/gateway.md'],
  ['CredentialOptions', 'ws-gateway/src/credentials.ts', 'docs/gateway.md'],
  ['DrainOptions', 'ws-gateway/src/gateway.ts', 'docs/gateway.md'],
  ['JwtOptions', 'ws-gateway/src/jwt.ts', 'docs/gateway.md'],
  ['ClientOptions', 'client/src/options.ts', 'docs/client.md'],
  ['MetricsOptions', 'metrics/src/metrics.ts', 'docs/metrics.md'],
  ['InstrumentOptions', 'opentelemetry/src/instrument.ts', 'docs/telemetry.md'],
  ['LocationViaOptions', 'via-kit/src/location-via.ts', 'docs/ways.md'],
  ['BroadcastViaOptions', 'via-kit/src/broadcast-via.ts', 'docs/ways.md'],
  ['RedisTls CommonOptions LocationsTuning PubSubTuning', 'via-redis/src/options.ts', 'packages/via-redis/README.md'],
  ['MysqlTls MysqlTuning', 'via-mysql/src/options.ts', 'packages/via-mysql/README.md'],
  ['KafkaSasl KafkaTopicOptions', 'via-kafka/src/options.ts', 'packages/via-kafka/README.md'],
  ['NodeCounters', 'runtime/src/observe/counters.ts', 'docs/observation.md'],
  ['ProcessInfo', 'runtime/src/observe/process-info.ts', 'docs/observation.md'],
  ['TraceOptions', 'runtime/src/observe/tracing.ts', 'docs/observation.md'],
  ['ReplicaStats', 'global-ets/src/engine/replica.ts', 'docs/observation.md'],
  ['TableStats', 'global-ets/src/engine/replicated-table.ts', 'docs/observation.md'],
  ['TestClusterOptions', 'runtime/src/testing/cluster-options.ts', 'docs/testing.md'],
  ['TestNodeOptions', 'runtime/src/testing/test-cluster.ts', 'docs/testing.md'],
  ['StartOptions', 'gen-server/src/behaviour/start.ts', 'docs/gen-server.md'],
  ['Statistics', 'gen-server/src/behaviour/debug.ts', 'docs/gen-server.md'],
  ['ChildSpec', 'gen-server/src/supervisor/child-spec.ts', 'docs/supervisors.md'],
  ['RestartLimits SupervisorFlags DynamicSupervisorFlags', 'gen-server/src/supervisor/flags.ts', 'docs/supervisors.md'],
  ['GlobalEtsOptions', 'global-ets/src/names-options.ts', 'docs/names.md'],
  ['NamePattern', 'global-ets/src/name-pattern.ts', 'docs/names.md'],
  ['ProcessGroupsOptions', 'global-ets/src/process-groups.ts', 'docs/groups.md'],
  ['EtsOptions', 'global-ets/src/ets/options.ts', 'docs/ets.md'],
  ['EtsInfo', 'global-ets/src/ets/handle.ts', 'docs/ets.md'],
  ['KeyRange', 'global-ets/src/ets/range.ts', 'docs/ets.md'],
]

/** What a program can be made with. For tests of the project, and for the command line, there are others. */
const INDEXES = [
  ...['runtime', 'gen-server', 'global-ets', 'ws-gateway', 'client', 'metrics', 'opentelemetry', 'via-kit'],
  ...['via-redis', 'via-mysql', 'via-kafka', 'runtime/testing', 'via-kit/testing'],
].map((name) => `packages/${name.replace(/(?=\/)|$/, '/src')}/index.ts`)

/** The TypeScript sources of all packages, generated ones left out. */
function sources(): string[] {
  return readdirSync(new URL('packages', root)).flatMap((name) =>
    readdirSync(new URL(`packages/${name}/src`, root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('generated'))
      .map((path) => `packages/${name}/src/${path}`),
  )
}

/** All documents of the project, from a folder of it on. */
function documents(folder = ''): string[] {
  return readdirSync(new URL(folder, root), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory())
      return NOT_OURS.has(entry.name) || entry.name.startsWith('.') ? [] : documents(`${folder}${entry.name}/`)
    return entry.name.endsWith('.md') ? [`${folder}${entry.name}`] : []
  })
}

/** A document without its code: what looks like a link there is none. */
function proseOf(text: string): string {
  return text.replaceAll(/```[^]*?```/g, '').replaceAll(/`[^`\n]*`/g, '')
}

function leadsSomewhere(document: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? document : join(dirname(document), path)
  if (!existsSync(new URL(target, root))) return false
  return heading === undefined || !target.endsWith('.md') || anchorsOf(read(target)).has(heading)
}

/** The names of what some interfaces of a source have. */
function membersOf(path: string, interfaces: readonly string[]): string[] {
  const members: string[] = []
  new Visitor({
    TSInterfaceDeclaration({ id, body }) {
      if (!interfaces.includes(id.name)) return
      for (const member of body.body)
        if (member.type === 'TSPropertySignature' && member.key.type === 'Identifier') members.push(member.key.name)
    },
  }).visit(parseSync(path, read(path)).program)
  return members
}

/** What the classes of a source offer to everybody. */
function publicMembersOf(path: string): string[] {
  const members: string[] = []
  new Visitor({
    ClassBody({ body }) {
      for (const member of body)
        if (member.type === 'MethodDefinition' || member.type === 'PropertyDefinition')
          if (!member.static && !member.accessibility && member.key.type === 'Identifier') members.push(member.key.name)
    },
  }).visit(parseSync(path, read(path)).program)
  return members.filter((name) => name !== 'constructor')
}

/** The values that a module exports by name: types are told by editors. */
function exportedValues(source: string): string[] {
  return [...source.matchAll(/^export (?:\{([^}]*)\}|\* as (\w+))/gm)].flatMap(([, list = '', whole = '']) =>
    [...list.split(','), whole]
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '' && !entry.startsWith('type '))
      .map((entry) => entry.split(' as ').at(-1) ?? entry),
  )
}

/** Words that stand in the code of a document, in a block or between backticks. */
function wordsInCode(text: string): Set<string> {
  return new Set((text.match(/```[^]*?```|`[^`\n]+`/g) ?? []).flatMap((code) => code.match(/\w+/g) ?? []))
}

/** The lines at `warn` and `error` that a source writes; `…` stands for what is known at run time only. */
function linesOf(path: string): string[] {
  const lines: string[] = []
  new Visitor({
    CallExpression({ callee, arguments: [fields, message, ...others] }) {
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return
      if (!['warn', 'error'].includes(callee.property.name) || fields === undefined || others.length > 0) return
      if (message !== undefined && message.type !== 'SpreadElement') lines.push(...textsOf(message))
    },
  }).visit(parseSync(path, read(path)).program)
  return lines
}

/** What an expression may be, if that stands there. */
function textsOf(expression: Expression): string[] {
  if (expression.type === 'Literal') return typeof expression.value === 'string' ? [expression.value] : []
  if (expression.type === 'TemplateLiteral') return [expression.quasis.map(({ value }) => value.raw).join('…')]
  if (expression.type !== 'ConditionalExpression') return []
  return [...textsOf(expression.consequent), ...textsOf(expression.alternate)]
}

/** Whether they are one line, of which either may leave out its beginning or its end. */
function isSameLine(one: string, other: string): boolean {
  return isShortFor(one, other) || isShortFor(other, one)
}

function isShortFor(short: string, line: string): boolean {
  if (short === line) return true
  if (short.endsWith(' …')) return line.startsWith(short.slice(0, -2))
  return /^… ?\p{L}/u.test(short) && line.endsWith(short.replace(/^…/, ''))
}

/** As GitHub makes them of headings: in small letters, without punctuation, with hyphens for spaces. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.replaceAll(/```[^]*?```/g, '').matchAll(/^#{1,6} (.*)$/gm)].map(
    ([, heading = '']) => heading,
  )
  const shown = headings.map((heading) => heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase())
  return new Set(shown.map((heading) => heading.replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-')))
}

describe('the documents', () => {
  it('docs/errors.md lists every error code that the packages have, and no other', () => {
    // A code is a whole string: parts of other names are not ours.
    const used = new Set(sources().flatMap((path) => read(path).match(/(?<=')ERR_[A-Z_]+(?=')/g) ?? []))
    const listed = [...read('docs/errors.md').matchAll(/^\| `(ERR_[A-Z_]+)`/gm)].map(([, code]) => code)
    expect(sources().length).toBeGreaterThan(40)
    expect(new Set(listed)).toEqual(used)
  })

  it.each(FIELDS)('every field of %s is in the document: %s, %s', (interfaces, source, document) => {
    const fields = membersOf(`packages/${source}`, interfaces.split(' '))
    const words = wordsInCode(read(document))
    expect(fields).not.toEqual([])
    expect(fields.filter((field) => !words.has(field))).toEqual([])
  })

  it.each(['process/context.ts', 'process/library-context.ts', 'node/node.ts'])(
    'docs/processes.md names all that can be done with what runtime/src/%s has',
    (source) => {
      const members = publicMembersOf(`packages/runtime/src/${source}`)
      const words = wordsInCode(read('docs/processes.md'))
      expect(members.length).toBeGreaterThan(20)
      expect(members.filter((member) => !words.has(member))).toEqual([])
    },
  )

  it.each(INDEXES)('some document names every value that %s exports', (index) => {
    const words = wordsInCode(
      documents()
        .filter((path) => path !== 'CHANGELOG.md' && !path.startsWith('docs/adr/'))
        .map(read)
        .join('\n'),
    )
    const values = exportedValues(read(index))
    expect(values).not.toEqual([])
    expect(values.filter((value) => !words.has(value))).toEqual([])
  })

  it('docs/operations.md lists every line that a gateway, its names, its tables or their connections warn with', () => {
    const written = sources()
      .filter((path) => !path.includes('/testing/'))
      .filter((path) =>
        /^packages\/(ws-gateway|global-ets|via-\w+|runtime\/src\/(discovery|distribution))\//.test(path),
      )
      .flatMap(linesOf)
    const listed = [...read('docs/operations.md').matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text)
    expect(written.length).toBeGreaterThan(40)
    expect(written.filter((line) => !listed.some((one) => isSameLine(one, line)))).toEqual([])
  })

  it('docs/gateway.md lists every status with which a gateway refuses an upgrade', () => {
    const [, union = ''] = /readonly status: ([\d |]+)/.exec(read('packages/ws-gateway/src/upgrade.ts')) ?? []
    const [, section = ''] = /\n## Refused before there is a socket\n([^]*?)\n## /.exec(read('docs/gateway.md')) ?? []
    const listed = [...section.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => status)
    // That one is Node's.
    expect(listed.filter((status) => status !== '431')).toEqual(union.split(' | '))
  })

  it('the README of Kubernetes lists every setting of a node', () => {
    const known = read('apps/cluster-node/src/settings.ts').match(/(?<=')[A-Z]+_?[A-Z_]*(?=')/g)
    const listed = [...read('deploy/kubernetes/README.md').matchAll(/^\| (`[A-Z_`, ]+`) \|/gm)].map(
      ([, names]) => names,
    )
    expect(new Set(listed.join().match(/[A-Z_]+/g))).toEqual(new Set(known))
  })

  it('every link from one document to another leads to a file that is there, and to a heading in it', () => {
    const links = documents().flatMap((document) =>
      [...proseOf(read(document)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => ({ document, link })),
    )
    expect(links.length).toBeGreaterThan(200)
    const broken = links.filter(({ document, link }) => !leadsSomewhere(document, link))
    expect(broken).toEqual([])
  })

  it('a link that leads nowhere is found', () => {
    expect(leadsSomewhere('README.md', 'docs/none.md')).toBe(false)
    expect(leadsSomewhere('README.md', 'docs/gateway.md#none')).toBe(false)
    expect(leadsSomewhere('README.md', 'docs/gateway.md#close-codes')).toBe(true)
    expect(leadsSomewhere('docs/gateway.md', '#close-codes')).toBe(true)
  })
})
