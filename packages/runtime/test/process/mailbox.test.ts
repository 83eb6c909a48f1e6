import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Mailbox } from '../../src/process/mailbox.ts'

describe('the mailbox', () => {
  it('behaves as an array does, whatever is pushed, shifted and removed', () => {
    const operation = fc.oneof(
      fc.record({ type: fc.constant('push' as const), value: fc.integer() }),
      fc.record({ type: fc.constant('shift' as const) }),
      fc.record({ type: fc.constant('remove' as const), at: fc.nat(20) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const mailbox = new Mailbox<number>()
        const model: number[] = []
        for (const step of operations) {
          if (step.type === 'push') {
            mailbox.push(step.value)
            model.push(step.value)
          } else if (step.type === 'shift') {
            expect(mailbox.shift()).toBe(model.shift())
          } else if (step.at < model.length) {
            expect(mailbox.removeAt(step.at)).toBe(model.splice(step.at, 1)[0])
          }
          expect(mailbox.length).toBe(model.length)
          expect(Array.from({ length: mailbox.length }, (_, index) => mailbox.at(index))).toEqual(model)
        }
      }),
    )
  })

  it('keeps what came with an item beside it, whatever is pushed, shifted and removed', () => {
    const operation = fc.oneof(
      fc.record({ type: fc.constant('push' as const), value: fc.integer(), isCarried: fc.boolean() }),
      fc.record({ type: fc.constant('shift' as const) }),
      fc.record({ type: fc.constant('remove' as const), at: fc.nat(20) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const mailbox = new Mailbox<string>()
        mailbox.keepCarriers()
        for (const step of operations) {
          if (step.type === 'push')
            mailbox.push(`${step.isCarried} ${step.value}`, step.isCarried ? { of: `${step.value}` } : undefined)
          else if (step.type === 'shift') mailbox.shift()
          else if (step.at < mailbox.length) mailbox.removeAt(step.at)
          const carried = Array.from({ length: mailbox.length }, (_, index) => mailbox.carriers?.at(index)?.['of'])
          expect(mailbox.carriers?.length).toBe(mailbox.length)
          expect(carried.map((of) => (of === undefined ? 'none' : `true ${of}`))).toEqual(
            carried.map((_, index) => mailbox.at(index)?.replace(/^false .*/, 'none')),
          )
        }
        while (mailbox.length > 0) mailbox.shift()
        expect([mailbox.carriers?.length, mailbox.carriers?.at(0)]).toEqual([0, undefined])
      }),
    )
  })
})
