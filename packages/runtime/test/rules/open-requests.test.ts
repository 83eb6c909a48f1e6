/**
 * Requests that are waited for when it suits: `openRequest` and `awaitAny`.
 */
import { handler, hasType, type Pid, type Ref } from '@pidmesh/runtime'
import { expect, it } from 'vitest'
import { itemsOf } from '../../src/few.ts'
import type { LocalPid } from '../../src/process/process.ts'
import { useLab } from './probe.ts'

const lab = useLab()

interface Asked {
  readonly type: 'ask'
  readonly replyTo: Ref
}

/** Answers each request when it is told to, the oldest first. */
function answerer(): { readonly pid: Pid; readonly answer: (value: unknown) => Promise<void> } {
  const waiting: Ref[] = []
  const pid = lab.node.spawn(
    handler((self) => (message: Asked | { readonly type: 'answer'; readonly value: unknown }) => {
      if (hasType(message, 'ask')) waiting.push(message.replyTo)
      else {
        const replyTo = waiting.shift()
        if (replyTo !== undefined) self.send(replyTo, message.value)
      }
    }),
  )
  const answer = async (value: unknown): Promise<void> => {
    lab.node.send(pid, { type: 'answer', value })
    await lab.settle()
  }
  return { pid, answer }
}

const ask = (replyTo: Ref): Asked => ({ type: 'ask', replyTo })

it('a request is sent at once, and its reply is kept until it is waited for', async () => {
  const { self, messages } = await lab.probe()
  const { pid, answer } = answerer()
  const request = self.openRequest(pid, ask)
  expect(request.isOver).toBe(false)
  await answer('late')
  expect(request.outcome).toEqual({ type: 'reply', value: 'late' })
  expect(await self.awaitAny([request], 0)).toBe(request)
  expect(messages).toEqual([])
})

it('awaitAny gives the first that is over, of those that are already the first of the list; the others stay open', async () => {
  const { self } = await lab.probe()
  const [one, two] = [answerer(), answerer()]
  const [first, second] = [self.openRequest(one.pid, ask), self.openRequest(two.pid, ask)]
  const waiting = self.awaitAny([first, second], Infinity)
  await two.answer(2)
  expect(await waiting).toBe(second)
  expect(first.isOver).toBe(false)
  await one.answer(1)
  expect(await self.awaitAny([second, first], Infinity)).toBe(second)
})

it('awaitAny gives up after its time, not before, and the request may be waited for again', async () => {
  const { self } = await lab.probe()
  const { pid, answer } = answerer()
  const request = self.openRequest(pid, ask)
  let given: unknown = 'pending'
  void self.awaitAny([request], 50).then((over) => (given = over))
  await lab.advance(49)
  expect(given).toBe('pending')
  await lab.advance(1)
  expect(given).toBeUndefined()
  await answer('later')
  expect((await self.awaitAny([request], 50))?.outcome).toEqual({ type: 'reply', value: 'later' })
  expect(lab.node.counters()).toMatchObject({ timers: 0, aliases: 0 })
})

it('the end of the other is an outcome, with its reason', async () => {
  const { self } = await lab.probe()
  const { pid } = answerer()
  const requests = [self.openRequest(pid, ask), self.openRequest('nobody', ask)] as const
  lab.node.exit(pid, 'shutdown')
  await lab.settle()
  expect(requests[0].outcome).toEqual({ type: 'down', reason: 'shutdown' })
  expect(requests[1].outcome).toEqual({ type: 'down', reason: 'noproc' })
})

it('one that is given up is over at once, for all who wait for it; its late reply is dropped, and nothing is kept', async () => {
  const { self, messages } = await lab.probe()
  const { pid, answer } = answerer()
  const request = self.openRequest(pid, ask)
  await lab.settle()
  const waiting = [self.awaitAny([request], Infinity), self.awaitAny([request], 1_000)]
  request.abandon()
  expect(await Promise.all(waiting)).toEqual([request, request])
  expect(request.outcome).toEqual({ type: 'timeout' })
  expect(lab.node.counters()).toMatchObject({ timers: 0, aliases: 0 })
  expect(lab.node.processInfo(pid)?.monitoredBy).toEqual([])
  await answer('too late')
  expect(request.outcome).toEqual({ type: 'timeout' })
  expect(messages).toEqual([])
})

it('giving one up is no message: nobody is told that one was received', async () => {
  const { self, pid } = await lab.probe()
  const events: unknown[] = []
  lab.node.trace(pid, { receive: true }, (event) => events.push(event))
  self.openRequest(answerer().pid, ask).abandon()
  await lab.settle()
  expect(events).toEqual([])
})

it('awaitAny rejects when its process ends, whatever it waits for: nothing, or the request of another', async () => {
  const { self, pid } = await lab.probe()
  const other = await lab.probe()
  const request = other.self.openRequest(answerer().pid, ask)
  const waiting = [self.awaitAny([], Infinity), self.awaitAny([], 1_000), self.awaitAny([request], 1_000)]
  lab.node.exit(pid, 'kill')
  for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'ERR_PROCESS_EXITED' })
  expect(request.isOver).toBe(false)
  expect(lab.node.counters()).toMatchObject({ timers: 0, aliases: 1 })
})

it('giving up one that is over changes nothing', async () => {
  const { self } = await lab.probe()
  const { pid, answer } = answerer()
  const request = self.openRequest(pid, ask)
  await answer('in time')
  request.abandon()
  expect(request.outcome).toEqual({ type: 'reply', value: 'in time' })
})

it('what can not be sent is told where it is waited for', async () => {
  const { self } = await lab.probe()
  const { pid } = answerer()
  const request = self.openRequest(pid, () => {
    throw new RangeError('it can not be built')
  })
  await expect(self.awaitAny([request], Infinity)).rejects.toThrow('it can not be built')
  expect(lab.node.counters()).toMatchObject({ timers: 0, aliases: 0 })
})

it('what has been waited for in vain again and again keeps nothing of that, and neither does its process', async () => {
  const { self, pid } = await lab.probe()
  const request = self.openRequest(answerer().pid, ask)
  const waiters = new Set<unknown>()
  const { addWaiter, removeWaiter } = request
  request.addWaiter = (waiter) => (waiters.add(waiter), addWaiter.call(request, waiter))
  request.removeWaiter = (waiter) => (waiters.delete(waiter), removeWaiter.call(request, waiter))
  const hooks = (): number => [...itemsOf((pid as LocalPid).process?.exitHooks)].length
  const before = hooks()
  for (let count = 0; count < 3; count++) {
    const waiting = self.awaitAny([request], 10)
    expect([waiters.size, hooks() - before]).toEqual([1, 1])
    await lab.advance(10)
    expect(await waiting).toBeUndefined()
  }
  expect([waiters.size, hooks() - before]).toEqual([0, 0])
})
