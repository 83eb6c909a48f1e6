import { expect, it } from 'vitest'
import { isOriginAllowed } from '../src/upgrade.ts'

const LIST = ['https://app.example', 'https://other.example:8443']

it.each([
  ['of the list', 'https://app.example', true],
  ['of the list, with its port', 'https://other.example:8443', true],
  ['of a host that begins like one of the list', 'https://app.example.evil.test', false],
  ['of a host that ends like one', 'https://evil-app.example', false],
  ['of another port', 'https://app.example:8443', false],
  ['of another scheme', 'http://app.example', false],
  ['of the gateway’s own host, which is not in the list', 'https://gateway.example', false],
  ['that is hidden', 'null', false],
  ['that is empty', '', false],
])('where origins are listed, a page %s may connect or not: %j, %j', (_what, origin, isAllowed) => {
  expect(isOriginAllowed(origin, 'gateway.example', LIST)).toBe(isAllowed)
})

it.each([
  ['https://gateway.example:8080', true],
  ['http://gateway.example:8080', true],
  ['https://gateway.example', false],
  ['https://gateway.example:8081', false],
  ['https://gateway.example:8080.evil.test', false],
  ['null', false],
])('where none are, a page of the same host and port may, and no other: %j, %j', (origin, isAllowed) => {
  expect(isOriginAllowed(origin, 'gateway.example:8080', undefined)).toBe(isAllowed)
})

it('a program, which says no origin, may in any case, and every page where all are let in', () => {
  for (const origins of [undefined, LIST, []]) expect(isOriginAllowed(undefined, 'gateway.example', origins)).toBe(true)
  expect(isOriginAllowed('https://anywhere.example', 'gateway.example', '*')).toBe(true)
})
