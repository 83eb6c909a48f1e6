/**
 * Certificates of nodes: whether they can be used, and whose they are.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { PidmeshError } from '../../errors.ts'
import type { NodeName } from '../../ids.ts'
import type { TlsOptions } from '../../ports.ts'

const CERTIFICATE = /^-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/
const CERTIFIED_NAME = /(?:^|, )URI:pidmesh:\/\/([^,"\s]+)/g

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkTls({ ca, certificate, privateKey }: TlsOptions): void {
  for (const [what, pem] of Object.entries({ ca, certificate, privateKey })) {
    if (!pem.includes('-----BEGIN '))
      throw bad(`${what} must be a text in PEM form, with -----BEGIN in it: what is in the file, not the path of it`)
  }
  attempt('ca must be one certificate or several, each beginning on a line of its own', () => {
    // OpenSSL passes over what it can't read.
    certificatesIn(ca)
    createSecureContext({ ca })
  })
  attempt('certificate must be a certificate, and may be followed by those between it and the authority', () => {
    certificatesIn(certificate)
    createSecureContext({ cert: certificate })
  })
  const key = attempt('privateKey must be a private key, without a passphrase', () => createPrivateKey(privateKey))
  if (!new X509Certificate(certificate).checkPrivateKey(key)) throw bad('privateKey is not the key of certificate')
  attempt('ca, certificate and privateKey can not be used together', () =>
    createSecureContext({ ca, cert: certificate, key: privateKey }),
  )
}

function attempt<T>(rule: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    // Never with the cause's text, which may show of the key what is none.
    throw bad(rule, cause)
  }
}

function bad(problem: string, cause?: unknown): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', `tls: ${problem}`, { cause })
}

/**
 * All that are in a text in PEM form.
 * @throws Error if there is none, or one that can't be read
 */
function certificatesIn(pem: string): X509Certificate[] {
  const parts = pem.split(/^(?=-----BEGIN )/m).filter((part) => CERTIFICATE.test(part))
  if (parts.length === 0) throw new Error('no certificate')
  return parts.map((part) => new X509Certificate(part))
}

/** Why a node that has these won't be connected with others, for its log. */
export function faultsOf({ ca, certificate }: TlsOptions, node: NodeName, nowMs: number): CertificateFault[] {
  const faults: CertificateFault[] = []
  const own = new X509Certificate(certificate)
  if (!certifiedNames(own.subjectAltName ?? '').includes(node))
    faults.push({ fault: 'the certificate of this node is not for it: no other node will connect with it' })
  const ownFault = untimely(own, nowMs)
  if (ownFault !== undefined)
    faults.push({
      ...ownFault,
      fault: `the certificate of this node ${ownFault.fault}: no other node will connect with it`,
    })
  for (const authority of certificatesIn(ca)) {
    const fault = untimely(authority, nowMs)
    if (fault !== undefined)
      faults.push({ ...fault, fault: `an authority in ca ${fault.fault}: no node with a certificate of it is let in` })
  }
  return faults
}

export interface CertificateFault {
  readonly fault: string
  /** Of a certificate that is not valid now. */
  readonly subject?: string
  readonly validFrom?: string
  readonly validTo?: string
}

function untimely({ subject, validFrom, validTo }: X509Certificate, nowMs: number): CertificateFault | undefined {
  const times = { subject, validFrom, validTo }
  if (Date.parse(validTo) < nowMs) return { ...times, fault: 'has expired' }
  return Date.parse(validFrom) > nowMs ? { ...times, fault: 'is not valid yet' } : undefined
}

/** The nodes that a certificate is for, by its alternative names. */
export function certifiedNames(subjectAltName: string): string[] {
  return [...subjectAltName.matchAll(CERTIFIED_NAME)].map(([, name = '']) => name)
}
