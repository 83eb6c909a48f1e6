import { describe, expect, it } from 'vitest'

import { checkCertificate, readCookies, readSettings, SettingsError } from '../src/settings.ts'

const env = {
  NODE_NAME: 'pidmesh-0@pidmesh-0.pidmesh-mesh.chat.svc.cluster.local',
  BIND_HOST: '0.0.0.0',
  MESH_PORT: '7001',
  PORT: '8080',
  COOKIE_FILE: '/etc/pidmesh/cookie/cookie',
  DNS_NAME: 'pidmesh-mesh.chat.svc.cluster.local',
  JOIN_WAIT_MS: '5000',
  DRAIN_MS: '0',
}
const tls = { TLS_CA_FILE: 'ca.pem', TLS_CERTIFICATE_FILE: 'certificate.pem', TLS_KEY_FILE: 'key.pem' }

describe('the settings of a node', () => {
  it('are what its environment says', () => {
    expect(readSettings({ ...env, ...tls, DNS_SERVERS: '10.0.0.10,10.0.0.11' })).toEqual({
      name: env.NODE_NAME,
      bindHost: '0.0.0.0',
      meshPort: 7001,
      transport: 'grpc',
      busyWait: true,
      port: 8080,
      cookieFile: env.COOKIE_FILE,
      tlsFiles: { ca: 'ca.pem', certificate: 'certificate.pem', privateKey: 'key.pem' },
      dnsName: env.DNS_NAME,
      dnsServers: ['10.0.0.10', '10.0.0.11'],
      joinWaitMs: 5000,
      drainMs: 0,
    })
  })

  it('may have blanks between name servers', () => {
    expect(readSettings({ ...env, DNS_SERVERS: '10.0.0.10, 10.0.0.11 ' }).dnsServers).toEqual([
      '10.0.0.10',
      '10.0.0.11',
    ])
  })

  it('may be without TLS and name servers', () => {
    expect(readSettings({ ...env, DNS_SERVERS: '' })).toMatchObject({ tlsFiles: undefined, dnsServers: undefined })
  })

  it('may say what nodes speak', () => {
    expect(readSettings({ ...env, TRANSPORT: 'tcp' })).toMatchObject({ transport: 'tcp' })
    expect(() => readSettings({ ...env, TRANSPORT: 'udp' })).toThrowError(
      new SettingsError('TRANSPORT must be grpc or tcp, not "udp"'),
    )
  })

  it('may say that a node is not to wait awake', () => {
    expect(readSettings({ ...env, BUSY_WAIT: 'false' })).toMatchObject({ busyWait: false })
    expect(readSettings({ ...env, BUSY_WAIT: 'true' })).toMatchObject({ busyWait: true })
    expect(() => readSettings({ ...env, BUSY_WAIT: 'no' })).toThrowError(
      new SettingsError('BUSY_WAIT must be true or false, not "no"'),
    )
  })

  it.each(Object.keys(env))('want %s', (name) => {
    expect(() => readSettings({ ...env, [name]: '' })).toThrowError(new SettingsError(`${name} is not set`))
  })

  it.each(Object.keys(tls))('want %s if they have the other files of TLS', (name) => {
    expect(() => readSettings({ ...env, ...tls, [name]: undefined })).toThrowError(
      new SettingsError(`${name} is not set`),
    )
  })

  it('take no port for two things', () => {
    expect(() => readSettings({ ...env, PORT: '7001' })).toThrowError(
      new SettingsError('MESH_PORT and PORT must differ, and are both 7001'),
    )
  })

  it.each([
    ['PORT', '0'],
    ['MESH_PORT', '70000'],
    ['DRAIN_MS', '5s'],
    ['JOIN_WAIT_MS', '-1'],
  ])('take no %s=%s', (name, value) => {
    expect(() => readSettings({ ...env, [name]: value })).toThrowError(`${name} must be a whole number`)
  })
})

it('a file of a certificate that has none says which', () => {
  expect(() => checkCertificate('-----BEGIN', env.NODE_NAME)).toThrowError(
    new SettingsError('there is no certificate in TLS_CERTIFICATE_FILE'),
  )
})

describe('the cookies', () => {
  it('stand one a line', () => {
    expect(readCookies('new-secret\n')).toEqual(['new-secret'])
    expect(readCookies('\n new-secret \r\nold-secret\n\n')).toEqual(['new-secret', 'old-secret'])
  })

  it('are one at least', () => {
    expect(() => readCookies(' \n')).toThrowError(SettingsError)
  })
})
