/**
 * Certificates of nodes: whether they can be used, and whose they are.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { PidmeshError } from '../../errors.ts'
import type { TlsOptions } from '../../ports.ts'

const CERTIFIED_NAME = /(?:^|, )URI:pidmesh:\/\/([^,"\s]+)/g

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkTls({ ca, certificate, privateKey }: TlsOptions): void {
  try {
    // OpenSSL passes over a text in which there is no certificate.
    for (const pem of [ca, certificate]) new X509Certificate(pem)
    createSecureContext({ ca, cert: certificate, key: privateKey })
  } catch (cause) {
    // Never with the cause's text, which may show of the key what is none.
    throw new PidmeshError(
      'ERR_BAD_OPTION',
      'tls: ca and certificate must be certificates, and privateKey the key of the latter',
      { cause },
    )
  }
}

/** The nodes that a certificate is for, in PEM form. */
export function namesIn(certificate: string): string[] {
  return certifiedNames(new X509Certificate(certificate).subjectAltName ?? '')
}

/** The nodes that a certificate is for, by its alternative names. */
export function certifiedNames(subjectAltName: string): string[] {
  return [...subjectAltName.matchAll(CERTIFIED_NAME)].map(([, name = '']) => name)
}
