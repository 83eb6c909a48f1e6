/**
 * Who isn't trusted, when TLS fails for a certificate: by the code of the error alone, since its message is the other side's.
 */

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const UNTRUSTED =
  /^(UNABLE_TO_(GET|DECODE|VERIFY)_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/
/** OpenSSL's name of the alert, as the other side has sent it (RFC 8446, 6.2): `SSLV3_ALERT_…` until its version 3.1, `SSL/TLS_ALERT_…` since. */
const WANTED = /^ERR_SSL_[\w/]*_ALERT_(CERTIFICATE_|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA)/

/** `untrusted`: theirs, or the way to an authority that is trusted. `wanted`: they want one of ours that they trust. */
export function certificateProblemOf(code: string | undefined): 'untrusted' | 'wanted' | undefined {
  if (code === undefined) return undefined
  if (UNTRUSTED.test(code)) return 'untrusted'
  return WANTED.test(code) ? 'wanted' : undefined
}
