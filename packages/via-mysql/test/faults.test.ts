import { PidmeshError } from '@pidmesh/runtime'
import { StoreError } from '@pidmesh/via-kit'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { isConflict, storeErrorOf } from '../src/faults.ts'

function fault(fields: Record<string, unknown>): Error {
  return Object.assign(new Error("Duplicate entry 'room:1' for user 'admin'@'db'"), { sql: 'INSERT room:1' }, fields)
}

describe('an error of the server', () => {
  it.each([
    [{ errno: 1045, sqlState: '28000' }, 'ERR_STORE_UNFIT'],
    [{ errno: 1290, sqlState: 'HY000' }, 'ERR_STORE_UNFIT'],
    // Of the class of what may be over at another moment, and nevertheless somebody has to do something.
    [{ errno: 1820, sqlState: 'HY000' }, 'ERR_STORE_UNFIT'],
    [{ errno: 1862, sqlState: 'HY000' }, 'ERR_STORE_UNFIT'],
    [{ errno: 3118, sqlState: 'HY000' }, 'ERR_STORE_UNFIT'],
    // Before a handshake there is no SQLSTATE.
    [{ errno: 1129, code: 'ER_HOST_IS_BLOCKED' }, 'ERR_STORE_UNFIT'],
    [{ errno: 1054, sqlState: '42S22' }, 'ERR_STORE_UNFIT'],
    [{ errno: 1406, sqlState: '22001' }, 'ERR_STORE_UNFIT'],
    // Of the class of access and syntax, and nevertheless over some time.
    [{ errno: 1203, sqlState: '42000' }, 'ERR_STORE_UNAVAILABLE'],
    [{ errno: 1226, sqlState: '42000' }, 'ERR_STORE_UNAVAILABLE'],
    [{ errno: 1040, sqlState: '08004' }, 'ERR_STORE_UNAVAILABLE'],
    [{ errno: 1213, sqlState: '40001' }, 'ERR_STORE_UNAVAILABLE'],
    [{ errno: 9999, sqlState: 'HY000' }, 'ERR_STORE_UNAVAILABLE'],
    [{ errno: -111, code: 'ECONNREFUSED', syscall: 'connect' }, 'ERR_STORE_UNAVAILABLE'],
    [{ code: 'PROTOCOL_CONNECTION_LOST' }, 'ERR_STORE_UNAVAILABLE'],
    [{ code: 'HANDSHAKE_NO_SSL_SUPPORT' }, 'ERR_STORE_UNFIT'],
    [{ code: 'HANDSHAKE_SSL_ERROR', reason: 'self-signed' }, 'ERR_STORE_UNFIT'],
    // As OpenSSL names an alert since 3.5.
    [{ code: 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN' }, 'ERR_STORE_UNFIT'],
    // The driver gives the same code to a connection that was cut off.
    [{ code: 'HANDSHAKE_SSL_ERROR', syscall: 'read' }, 'ERR_STORE_UNAVAILABLE'],
    [{ code: 'HANDSHAKE_SSL_ERROR', localAddress: undefined }, 'ERR_STORE_UNAVAILABLE'],
    [{}, 'ERR_STORE_UNAVAILABLE'],
  ])('is of that kind, and nothing of its text is seen: %j', (fields, code) => {
    const error = storeErrorOf(fault(fields))
    expect(error).toBeInstanceOf(StoreError)
    expect(error.code).toBe(code)
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/room|admin|INSERT/)
  })

  it('is worth another try if it is a deadlock, or a lock that was not let go in time', () => {
    expect([1205, 1213, 1146, -1213].map((errno) => isConflict(fault({ errno })))).toEqual([true, true, false, false])
  })

  it('that is none at all is unavailable, and one of ours stays', () => {
    for (const reason of [undefined, null, 'room:1', 7]) expect(storeErrorOf(reason).code).toBe('ERR_STORE_UNAVAILABLE')
    expect(storeErrorOf(fault({ code: 'not a code: room:1' })).message).not.toContain('room')
    const ours = new PidmeshError('ERR_BAD_ARGUMENT', 'bad')
    expect(storeErrorOf(ours)).toBe(ours)
  })
})
