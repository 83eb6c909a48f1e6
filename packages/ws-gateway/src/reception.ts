/**
 * Finds out who a client is that has a socket already, and what it wants.
 *
 *   hello ─▶ somebody? ─▶ begin: a session, new or old        auth ─▶ still the same? ─▶ told to the session
 *              └── no ─▶ 4003, 1013, 4002                              └── no ─▶ 4003
 */
import type { AuthenticationFailure } from './authentication.ts'
import { CLOSE, type CloseCause } from './close-codes.ts'
import type { Hello } from './client-control.ts'
import type { Connection } from './connection.ts'
import { isToken } from './credentials.ts'
import type { UpgradeRequest } from './options.ts'
import type { Identity } from './principal.ts'

const CAUSES: Readonly<Record<AuthenticationFailure, CloseCause>> = {
  refused: CLOSE.notAuthenticated,
  failed: CLOSE.tryLater,
  timeout: CLOSE.authTimeout,
}

export interface ReceptionComponents {
  readonly authenticate: (request: UpgradeRequest) => Promise<Identity<unknown> | AuthenticationFailure>
  /** Before the connection knows it. */
  readonly onIdentified: (connection: Connection) => void
  readonly begin: (connection: Connection, identity: Identity<unknown>, resume: Hello['resume']) => void
  readonly onRefreshed: (connection: Connection, identity: Identity<unknown>) => void
}

export class Reception {
  private readonly components: ReceptionComponents

  constructor(components: ReceptionComponents) {
    this.components = components
  }

  async onHello(connection: Connection, { token, resume }: Hello): Promise<void> {
    const identity = connection.identity ?? (await this.identify(connection, token))
    if (identity !== undefined) this.components.begin(connection, identity, resume)
  }

  async onAuth(connection: Connection, token: string): Promise<void> {
    const before = connection.identity
    // One that doesn't expire needs no fresh token, and nobody has kept what would be asked with it.
    if (connection.request === undefined) return connection.writeControl({ type: 'authenticated' })
    const identity = await this.identify(connection, token)
    if (identity === undefined) return
    // A session goes on for whom it has begun.
    if (identity.id !== before?.id) return connection.close(CLOSE.notAuthenticated)
    connection.writeControl({ type: 'authenticated' })
    this.components.onRefreshed(connection, identity)
  }

  /** Who it is that has shown a token in a message; closes the socket if it is nobody. */
  private async identify(connection: Connection, token: string | undefined): Promise<Identity<unknown> | undefined> {
    const { request } = connection
    if (request === undefined) return undefined
    if (token !== undefined && !isToken(token)) {
      connection.close(CLOSE.notAuthenticated)
      return undefined
    }
    const shown = token === undefined ? request : { ...request, token, tokenFrom: 'message' as const }
    const identity = await this.components.authenticate(shown)
    if (!connection.isOpen) return undefined
    if (typeof identity === 'string') {
      connection.close(CAUSES[identity])
      return undefined
    }
    this.components.onIdentified(connection)
    connection.authenticated(identity)
    return identity
  }
}
