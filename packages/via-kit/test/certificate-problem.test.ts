import { certificateProblemOf } from '@pidmesh/via-kit'
import { expect, it } from 'vitest'

it.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'untrusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'untrusted'],
  ['CERT_HAS_EXPIRED', 'untrusted'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'wanted'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'wanted'],
  // Node.js 20 to 22, and those with OpenSSL 3.5, for one and the same alert.
  ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN', 'wanted'],
  ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN', 'wanted'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'wanted'],
  ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', undefined],
  ['ERR_SSL_WRONG_VERSION_NUMBER', undefined],
  ['ECONNRESET', undefined],
  [undefined, undefined],
] as const)('of a certificate %s says: %s', (code, problem) => {
  expect(certificateProblemOf(code)).toBe(problem)
})
