import { describe, expect, it } from 'vitest'
import { controlOf, helloOf } from '../src/client-control.ts'

describe('a hello', () => {
  it.each([
    [{ type: 'hello' }, { token: undefined, resume: undefined }],
    [
      { type: 'hello', token: 't', resume: null },
      { token: 't', resume: undefined },
    ],
    [
      { type: 'hello', resume: { token: 'r', seq: 3 }, other: 1 },
      { token: undefined, resume: { token: 'r', seq: 3 } },
    ],
  ])('%j is one', (control, hello) => {
    expect(helloOf(control)).toEqual(hello)
  })

  it.each([
    { type: 'ack', seq: 1 },
    { type: 'hello', token: 7 },
    { type: 'hello', resume: 'r' },
    { type: 'hello', resume: { token: 'r' } },
    { type: 'hello', resume: { token: 7, seq: 0 } },
  ])('%j is none', (control) => {
    expect(helloOf(control)).toBeUndefined()
  })
})

describe('a control', () => {
  it.each([{ type: 'ack', seq: 3 }, { type: 'auth', token: 't' }, { type: 'ping' }])(
    '%j is read as it is',
    (control) => {
      expect(controlOf({ ...control, other: 1 })).toEqual(control)
    },
  )

  it.each([{}, { type: 'hello' }, { type: 'ack', seq: '3' }, { type: 'auth' }, { type: { type: 'ping' } }])(
    '%j is malformed',
    (control) => {
      expect(controlOf(control)).toMatchObject({ type: 'malformed' })
    },
  )
})
