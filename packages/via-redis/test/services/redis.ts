/**
 * What the tests with a real redis-server share. Without one they are skipped, and one line says how to get it; `PIDMESH_NO_SKIP=1` makes them fail in place of that.
 */
import { mustSkip, redisMissing, type RedisService } from '@pidmesh/dev-services'
import { StoreError, type Answer, type LocationRow, type StoreErrorCode, type TakenLocation } from '@pidmesh/via-kit'
import { expect } from 'vitest'
import type { RedisLocations } from '../../src/index.ts'

/** What must come in time comes so much later at most, on a machine that is busy with something else. */
const SLACK_MS = 5_000

/** For `describe.skipIf`. @throws Error if nothing may be skipped */
export function hasNoRedis(): boolean {
  return mustSkip(redisMissing())
}

export function row(name: string, owner: string, value: string | Uint8Array = `of ${owner}`): LocationRow {
  return { name, owner, value: typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value }
}

/** @throws what is in its place */
export function text(value: Answer<Uint8Array | undefined>): string | undefined {
  if (value instanceof StoreError) throw value
  return value === undefined ? undefined : Buffer.from(value).toString()
}

/** What was taken. @throws what is in its place */
export async function takenOf(store: RedisLocations, ...rows: LocationRow[]): Promise<readonly TakenLocation[]> {
  return (await store.take(rows)).map((answer) => {
    if (answer instanceof StoreError) throw answer
    return answer
  })
}

/** That it rejects with the code, in time. */
export async function expectRejects(call: Promise<unknown>, code: StoreErrorCode, timeoutMs: number): Promise<Error> {
  const sinceMs = performance.now()
  const error = await call.then(
    () => expect.fail('it has resolved'),
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ name: 'StoreError', code })
  expect(performance.now() - sinceMs).toBeLessThan(timeoutMs + SLACK_MS)
  return error as Error
}

/** All that a log could show of an error. */
export function shownOf(error: Error): string {
  return JSON.stringify([error.message, error.stack, error.cause, Object.entries(error), String(error.cause)])
}

/** Connections of others than this question. */
export async function connectionsOf(redis: RedisService): Promise<number> {
  const list = await redis.command('CLIENT', 'LIST', 'TYPE', 'NORMAL')
  const pubsub = await redis.command('CLIENT', 'LIST', 'TYPE', 'PUBSUB')
  return [...list.split('\n'), ...pubsub.split('\n')].filter(
    (line) => line.startsWith('id=') && !/cmd=client/.test(line),
  ).length
}
