/**
 * What drivers are told of TLS, in PEM form, looked at before anything connects: a client library would throw in the midst of a start, or pass over what it can't
 * read. Nothing tells why: that may have a key in it.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

const CERTIFICATE = '-----BEGIN CERTIFICATE-----'

/** Whether a text is a certificate, or several, each of which can be read. */
export function areCertificates(text: string): boolean {
  const [, ...certificates] = text.split(CERTIFICATE)
  return certificates.length > 0 && certificates.every((rest) => isMade(() => new X509Certificate(CERTIFICATE + rest)))
}

/** Whether a connection can be made with them: that a key is a certificate's, among others. */
export function isUsableForTls(options: SecureContextOptions): boolean {
  return isMade(() => createSecureContext(options))
}

function isMade(make: () => unknown): boolean {
  try {
    make()
    return true
  } catch {
    return false
  }
}
