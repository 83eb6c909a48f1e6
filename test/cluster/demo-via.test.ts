// PURPOSE: the demo's chat is the same in each way of keeping names, its page says which one that is, and the store that the demo has started ends with it, whatever ends the demo.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { kafkaMissing, mariadbMissing, redisMissing, startRedis } from '@pidmesh/dev-services'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'

import { ChatClient, expectSameTables } from './support/chat-client.ts'
import { busyPort, DemoProcess, isRunning, startLauncher } from './support/demo-process.ts'
import type { DemoNode } from './support/demo-process.ts'
import { descendantsOf } from './support/descendants.ts'
import { until } from './support/until.ts'

type Way = {
  via: string
  server: string
  text: string
  holders: 'one' | 'many'
  missing: () => string | undefined
  end: (launcher: DemoProcess) => void
}

const WAYS: readonly Way[] = [
  {
    via: 'redis',
    server: 'Redis',
    text: 'Redis, location database',
    holders: 'one',
    missing: redisMissing,
    end: ({ child }) => void child.stdin?.end(),
  },
  {
    via: 'mysql',
    server: 'MariaDB',
    text: 'MySQL or MariaDB, location database',
    holders: 'one',
    missing: mariadbMissing,
    // As a terminal's Ctrl-C, which reaches all of a process group.
    end: ({ pid }) => void process.kill(-pid, 'SIGINT'),
  },
  {
    via: 'kafka',
    server: 'Kafka',
    text: 'Kafka, pub-sub',
    holders: 'many',
    missing: kafkaMissing,
    end: ({ child }) => void child.kill('SIGTERM'),
  },
  {
    via: 'redis-pubsub',
    server: 'Redis',
    text: 'Redis, pub-sub',
    holders: 'many',
    missing: redisMissing,
    end: ({ child }) => void child.kill('SIGKILL'),
  },
]

describe.each(WAYS)('the demo with names by $via', ({ via, server, text, holders, missing, end }) => {
  let problem: string | undefined

  beforeAll(() => {
    problem = missing()
    if (problem === undefined) return
    if (process.env['PIDMESH_NO_SKIP'] === '1') throw new Error(problem)
    console.warn(`the demo with names by ${via} is not tested: ${problem}`)
  })

  it('carries what is for a name to another node, says its way, and leaves no process', async ({ skip }) => {
    if (problem !== undefined) return skip(problem)
    const launcher = await startLauncher(['--via', via, '--nodes', '2'], { ownGroup: true })
    const [chat1, chat2] = launcher.nodes as [DemoNode, DemoNode]
    expect(launcher.stdout).toMatch(new RegExp(`^${server} runs on 127\\.0\\.0\\.1:\\d+, after `, 'm'))
    expect(launcher.stdout).toContain(`names: ${text}\n`)
    expect(await (await fetch(chat2.url)).text()).toContain(`"names":"${text}"`)

    const [alice, bob] = await Promise.all([ChatClient.connect(chat1, 'alice'), ChatClient.connect(chat2, 'bob')])
    await expectSameTables([alice, bob], { alice: chat1, bob: chat2 })
    await expectToReach(alice, bob)
    await expectToReach(bob, alice)
    alice.tell('carol', 'are you there?')
    await until('alice is told that carol is not', () => alice.messages.some(({ type }) => type === 'undeliverable'))
    expect(alice.heard('are you there?')).toBe(false)

    await expectSecondSession(holders, chat2, { alice, bob })
    await expectToReach(bob, alice)

    const started = descendantsOf(launcher.pid)
    expect(started.length).toBeGreaterThan(2)
    end(launcher)
    await launcher.ended
    await until('none of its processes is left', () => !started.some(isRunning))
  })
})

/** The sender is told, too, what was passed on. */
async function expectToReach(from: ChatClient, to: ChatClient): Promise<void> {
  const text = Math.random().toString(36)
  from.tell(to.user, text)
  await until(`${to.user} and ${from.user} hear it`, () => to.heard(text) && from.heard(text))
  const told = { type: 'told', from: from.user, to: to.user, node: from.node.name, text }
  for (const client of [from, to])
    expect(client.messages.filter((one) => 'text' in one && one.text === text)).toEqual([told])
}

/** A second client of a user: it is refused, or hears what is for the name as well. */
async function expectSecondSession(
  holders: 'one' | 'many',
  node: DemoNode,
  { alice, bob }: { alice: ChatClient; bob: ChatClient },
): Promise<void> {
  if (holders === 'one') {
    await expect(ChatClient.connect(node, 'alice')).rejects.toThrow('4009')
    return
  }
  const second = await ChatClient.connect(node, 'alice')
  await until('both are seen', () => bob.online.filter(({ user }) => user === 'alice').length === 2)
  bob.tell('alice', 'to both')
  await until('both hear it', () => alice.heard('to both') && second.heard('to both'))
  second.vanish()
  await until('one is seen', () => bob.online.filter(({ user }) => user === 'alice').length === 1)
}

describe('the store of the demo', () => {
  it('is the one that was given, and lives on', async ({ skip }) => {
    const problem = redisMissing()
    if (problem !== undefined) return skip(problem)
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const launcher = await startLauncher(['--via', 'redis', '--store', redis.url, '--nodes', '1'])
    expect(launcher.stdout).not.toContain('temporary folder')
    const [chat1] = launcher.nodes as [DemoNode]
    await ChatClient.connect(chat1, 'alice')
    expect(await redis.command('KEYS', '*')).toMatch(/^pidmesh-demo:\S+alice$/)
    launcher.child.stdin?.end()
    expect(await launcher.ended).toBe(0)
    // Names are given back, and not left to their time.
    expect(await redis.command('KEYS', '*')).toBe('')
  })

  it('is not waited for if the demo ends while it starts: it ends as well, and its folder is gone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pidmesh-slow-redis-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const told = join(folder, 'told')
    // Says of what version it is, and of whom it is the folder; and never answers.
    const slow = `#!/bin/sh\n[ "$1" = --version ] && exit\necho "$PIDMESH_SERVICE_TEMPORARY" >"${told}"\nexec sleep 60\n`
    writeFileSync(join(folder, 'redis-server'), slow, { mode: 0o755 })
    const launcher = new DemoProcess('cluster.js', ['--via', 'redis', '--port', '0', '--mesh-port', '0'], {
      env: { PATH: `${folder}:${process.env['PATH']}` },
    })
    const temporary = await until(
      'the server starts',
      () => existsSync(told) && (readFileSync(told, 'utf8').trim() || undefined),
    )
    const started = descendantsOf(launcher.pid)
    expect(started.length).toBeGreaterThan(0)
    launcher.child.kill('SIGINT')
    await until('the demo has ended', () => launcher.hasEnded)
    expect(await launcher.ended).toBe(0)
    await until('nothing is left', () => !started.some(isRunning) && !existsSync(temporary))
  })

  it('is said to be missing in one line, before anything is started', async () => {
    const launcher = new DemoProcess('cluster.js', ['--via', 'redis', '--port', '0', '--mesh-port', '0'], {
      env: { PATH: '/nowhere' },
    })
    expect(await launcher.ended).toBe(2)
    expect(launcher.stderr).toMatch(/^demo: redis-server is not there: .*; or give a server that runs: --store\n$/)
    expect(launcher.stdout).toBe('')
  })

  it('is said not to answer, if it was given and does not', async () => {
    const port = await busyPort()
    const args = ['--via', 'kafka', '--store', `127.0.0.1:${port + 1}`, '--port', '0', '--mesh-port', '0']
    const launcher = new DemoProcess('cluster.js', args)
    expect(await launcher.ended).toBe(1)
    expect(launcher.stderr).toMatch(/^demo: no store at 127\.0\.0\.1:\d+ \(--store\): .*ECONNREFUSED.*\n$/)
  })
})

describe('a store of the demo’s own', () => {
  const problem = redisMissing()

  it('that ends is told of in the terminal, and the demo can be ended as ever', async ({ skip }) => {
    if (problem !== undefined) return skip(problem)
    const launcher = await startLauncher(['--via', 'redis', '--nodes', '1'], { ownGroup: true })
    const isServer = (pid: number): boolean => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'redis-server'
    const [server] = descendantsOf(launcher.pid).filter(isServer)
    if (server === undefined) throw new Error('no redis-server')
    process.kill(server, 'SIGKILL')
    await until('the end of Redis is told', () => launcher.stdout.includes('Redis has ended'))
    launcher.child.stdin?.end()
    await expect(launcher.ended).resolves.toBeDefined()
  })
})
