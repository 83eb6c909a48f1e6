/**
 * docker-compose.yml is what the demo's command line takes. Nothing is started.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { parseClusterOptions } from '../src/cluster-options.ts'

const text = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8')

interface Service {
  readonly image: string
  readonly ports: readonly string[]
  readonly healthcheck: { readonly test: readonly string[] }
}

const { services } = parse(text) as { readonly services: Readonly<Record<string, Service>> }

it('is YAML, without warnings', () => {
  const { errors, warnings } = parseDocument(text, { strict: true })
  expect([...errors, ...warnings]).toEqual([])
})

it.each(Object.entries(services))(
  '%s: a fixed version, reached from this machine only, and its health is known',
  (_, service) => {
    expect(service.image).toMatch(/^[a-z]+(\/[a-z]+)?:\d+\.\d+\.\d+$/)
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/)
    expect(service.healthcheck.test[0]).toBe('CMD')
  },
)

it('has each store of the demo, at the address that its comment says', () => {
  expect(Object.keys(services)).toEqual(['redis', 'mariadb', 'kafka'])
  const commands = [...text.matchAll(/^#\s+pnpm demo (.*)$/gm)].map(([, args = '']) => args.split(' '))
  const chosen = commands.map((args) => {
    const command = parseClusterOptions(args)
    if (command.do !== 'start' || command.options.names.via === 'global-ets') throw new Error(args.join(' '))
    return command.options.names
  })
  expect(chosen.map(({ via }) => via).sort()).toEqual(['kafka', 'mysql', 'redis', 'redis-pubsub'])
  const published = Object.values(services).flatMap(({ ports }) => ports.map((port) => Number(port.split(':')[1])))
  expect(new Set(chosen.map(({ store }) => store?.port))).toEqual(new Set(published))
})
