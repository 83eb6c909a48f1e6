/**
 * Which options Node's `tls.connect` has: what is none of them is misspelt, and would say nothing. The compiler sees that none is missing.
 */
import type { TcpNetConnectOpts } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

const OF_TLS = {
  ALPNCallback: true,
  ALPNProtocols: true,
  SNICallback: true,
  allowPartialTrustChain: true,
  ca: true,
  cert: true,
  checkServerIdentity: true,
  ciphers: true,
  clientCertEngine: true,
  crl: true,
  dhparam: true,
  ecdhCurve: true,
  enableTrace: true,
  honorCipherOrder: true,
  host: true,
  key: true,
  lookup: true,
  maxVersion: true,
  minDHSize: true,
  minVersion: true,
  passphrase: true,
  path: true,
  pfx: true,
  port: true,
  privateKeyEngine: true,
  privateKeyIdentifier: true,
  pskCallback: true,
  rejectUnauthorized: true,
  requestCert: true,
  secureContext: true,
  secureOptions: true,
  secureProtocol: true,
  servername: true,
  session: true,
  sessionIdContext: true,
  sessionTimeout: true,
  sigalgs: true,
  socket: true,
  ticketKeys: true,
  timeout: true,
} satisfies Record<keyof ConnectionOptions, true>

/** It hands them on. */
const OF_SOCKETS = {
  allowHalfOpen: true,
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: true,
  family: true,
  fd: true,
  hints: true,
  keepAlive: true,
  keepAliveInitialDelay: true,
  localAddress: true,
  localPort: true,
  noDelay: true,
  onread: true,
  readable: true,
  signal: true,
  writable: true,
} satisfies Record<Exclude<keyof TcpNetConnectOpts, keyof ConnectionOptions>, true>

const KNOWN: ReadonlySet<string> = new Set(Object.keys({ ...OF_TLS, ...OF_SOCKETS }))

export function unknownTlsOption(tls: object): string | undefined {
  return Object.keys(tls).find((name) => !KNOWN.has(name))
}
