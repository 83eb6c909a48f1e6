import { describe, expect, it } from 'vitest'

import { parseClusterOptions } from '../src/cluster-options.ts'
import { OptionError } from '../src/option-error.ts'

const parse = (line: string) => parseClusterOptions(line.split(' ').filter(Boolean))

function errorOf(line: string): Error | undefined {
  try {
    parse(line)
    return undefined
  } catch (error) {
    return error as Error
  }
}

describe('the command line of the demo', () => {
  it('has defaults for everything', () => {
    expect(parse('')).toEqual({
      do: 'start',
      options: { nodes: 3, firstPort: 8081, firstMeshPort: 7001, names: { via: 'global-ets' } },
    })
  })

  it('takes the number of nodes and the ports, also after the dashes that a package manager hands on', () => {
    const names = { via: 'global-ets' }
    const command = { do: 'start', options: { nodes: 5, firstPort: 0, firstMeshPort: 9000, names } }
    expect(parse('--nodes 5 --port 0 --mesh-port 9000')).toEqual(command)
    expect(parse('-- --nodes=5 --port=0 --mesh-port=9000')).toEqual(command)
  })

  it.each(['redis', 'mysql', 'kafka', 'redis-pubsub'])('takes %s as the way of keeping names', (via) => {
    expect(parse(`--via ${via}`)).toMatchObject({ options: { names: { via, store: undefined } } })
  })

  it.each([
    ['redis', 'redis://127.0.0.1', '127.0.0.1', 6379],
    ['redis-pubsub', 'rediss://me:secret@redis.example:7000/2', 'redis.example', 7000],
    ['mysql', 'mysql://me:secret@127.0.0.1/chat', '127.0.0.1', 3306],
    ['mysql', 'mariadb://me@[::1]:3307/chat', '::1', 3307],
    ['kafka', '127.0.0.1:9092', '127.0.0.1', 9092],
    ['kafka', '[::1]:9092', '::1', 9092],
  ])('takes for %s the store at %s', (via, address, host, port) => {
    const names = { via, store: { address, host, port } }
    expect(parse(`--via ${via} --store ${address}`)).toMatchObject({ options: { names } })
  })

  it.each([
    ['redis', 'secret.example:6379'],
    ['redis', 'http://secret.example'],
    ['redis-pubsub', 'redis:///secret'],
    ['mysql', 'mysql://secret.example/chat'],
    ['mysql', 'mysql://me:secret@127.0.0.1'],
    ['kafka', 'secret.example'],
    ['kafka', 'kafka://secret.example:9092'],
    ['kafka', 'me:secret@127.0.0.1:9092'],
    ['kafka', '127.0.0.1:65536'],
  ])('refuses for %s the store %s, and says an address that would do, but not the one that was given', (via, store) => {
    const error = errorOf(`--via ${via} --store ${store}`)
    expect(error).toBeInstanceOf(OptionError)
    expect(error?.message).toMatch(/^--store takes, with --via [\w-]+, an address like \S+$/)
    expect(error?.message).not.toContain('secret')
  })

  it('can be asked for help', () => {
    expect(parse('--help')).toEqual({ do: 'help' })
  })

  it.each([
    ['--nodes 0', '--nodes takes a whole number from 1 to 9, not "0"'],
    ['--nodes 10', '--nodes takes a whole number from 1 to 9, not "10"'],
    ['--nodes 1e0', '--nodes takes a whole number from 1 to 9, not "1e0"'],
    ['--nodes', '--nodes needs a value'],
    ['--nodes -1', '--nodes needs a value'],
    ['--port 65534', '--port takes a whole number from 0 to 65533, not "65534"'],
    ['--mesh-port x', '--mesh-port takes a whole number from 0 to 65533, not "x"'],
    ['--via', '--via needs a value'],
    ['--via etcd', '--via takes one of global-ets, redis, mysql, kafka, redis-pubsub, not "etcd"'],
    ['--store redis://127.0.0.1', '--store is for a way that has a store: choose one with --via'],
    ['--frobnicate', "unknown option '--frobnicate'"],
    ['five', "unexpected argument 'five'"],
    ['--port 7002', '--port 7002 and --mesh-port 7001 are too close together: 3 nodes would share ports'],
  ])('refuses %s with one line', (line, message) => {
    expect(() => parse(line)).toThrow(new OptionError(message))
  })
})
