import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressCounts, clientAddress, limitKey, normalAddress, trustedProxies } from '../src/client-address.ts'

const proxies = trustedProxies(['10.0.0.0/8', '127.0.0.1', '2001:db8:ffff::/48'])
const behind = (remote: string | undefined, forwarded?: string) => clientAddress(remote, forwarded, proxies)

describe('the address of a client', () => {
  it('is that of its socket, where no proxy is trusted, whatever it says', () => {
    expect(behind('203.0.113.9')).toBe('203.0.113.9')
    expect(behind('203.0.113.9', '198.51.100.1')).toBe('203.0.113.9')
    expect(clientAddress('10.0.0.1', '198.51.100.1', trustedProxies([]))).toBe('10.0.0.1')
  })

  it('is the first from the right that is not a trusted proxy: what stands left of it may be invented', () => {
    expect(behind('10.0.0.1', '198.51.100.1')).toBe('198.51.100.1')
    expect(behind('10.0.0.1', '1.1.1.1, 198.51.100.1, 10.2.2.2')).toBe('198.51.100.1')
    expect(behind('10.0.0.1', '10.9.9.9,198.51.100.1,127.0.0.1')).toBe('198.51.100.1')
    expect(behind('2001:db8:ffff::1', '2001:DB8::0001')).toBe('2001:db8:0:0:0:0:0:1')
  })

  it('is the outermost proxy, if all are trusted, and the inner one, if it says nothing', () => {
    expect(behind('10.0.0.1', '10.0.0.3, 10.0.0.2')).toBe('10.0.0.3')
    expect(behind('10.0.0.1')).toBe('10.0.0.1')
    expect(behind('10.0.0.1', '')).toBe('10.0.0.1')
  })

  it('is the proxy that wrote it, where an entry is no address', () => {
    for (const entry of ['unknown', '_hidden', '1.2.3', '1.2.3.4.5', '::g', ' ', '<script>', 'a'.repeat(5_000)]) {
      expect(behind('10.0.0.1', `198.51.100.1, ${entry}, 10.0.0.2`)).toBe('10.0.0.2')
      expect(behind('10.0.0.1', entry)).toBe('10.0.0.1')
    }
    expect(behind('10.0.0.1', '198.51.100.1,')).toBe('10.0.0.1')
    expect(behind('10.0.0.1', ',')).toBe('10.0.0.1')
  })

  it('may come with its port', () => {
    expect(behind('10.0.0.1', '198.51.100.1:4711')).toBe('198.51.100.1')
    expect(behind('10.0.0.1', '[2001:db8::1]:4711')).toBe('2001:db8:0:0:0:0:0:1')
    expect(behind('10.0.0.1', '[2001:db8::1]')).toBe('2001:db8:0:0:0:0:0:1')
  })

  it('is IPv4 where it is mapped into IPv6, and a proxy is trusted in either form', () => {
    expect(behind('::ffff:10.0.0.1', '::FFFF:198.51.100.1')).toBe('198.51.100.1')
    expect(behind('::ffff:a00:1', '::ffff:c633:6401')).toBe('198.51.100.1')
    const mapped = trustedProxies(['::ffff:192.168.0.0/112', '::ffff:172.16.0.1'])
    expect(clientAddress('192.168.3.4', '1.1.1.1', mapped)).toBe('1.1.1.1')
    expect(clientAddress('172.16.0.1', '1.1.1.1', mapped)).toBe('1.1.1.1')
    expect(clientAddress('172.16.0.2', '1.1.1.1', mapped)).toBe('172.16.0.2')
    expect(clientAddress('203.0.113.9', '1.1.1.1', trustedProxies(['::ffff:0.0.0.0/96']))).toBe('1.1.1.1')
    // It ends as one that is mapped, and is anybody's.
    for (const own of [
      '2001:db8:1:2:3:ffff:a00:1',
      '1:0:0:0:0:ffff:a00:1',
      '0:0:0:0:1:ffff:a00:1',
      '0:0:0:0:0:fffe:a00:1',
    ])
      expect(behind(own, '198.51.100.1')).toBe(own)
  })

  it('is empty where the socket has none', () => {
    expect(behind(undefined, '198.51.100.1')).toBe('')
    expect(behind('', '198.51.100.1')).toBe('')
  })

  it('comes out after 32 proxies at the latest', () => {
    const chain = (proxies: number) => ['198.51.100.1', ...new Array<string>(proxies - 1).fill('10.0.0.7')].join(',')
    expect(behind('10.0.0.1', chain(32))).toBe('198.51.100.1')
    expect(behind('10.0.0.1', chain(33))).toBe('10.0.0.7')
  })

  it('is an address or empty, whatever the header is', () => {
    const entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constantFrom('10.0.0.2', ',', '[', ']:', '%'))
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(normalAddress(behind('10.0.0.1', entries.join(',')))).toBeDefined()
      }),
    )
  })
})

it('an IPv6 address has one form, and is the same address', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const normal = normalAddress(text) ?? ''
      expect(normalAddress(normal)).toBe(normal)
      if (normal.includes(':'))
        expect(new URL(`http://[${normal}]`).hostname).toBe(new URL(`http://[${text}]`).hostname)
    }),
  )
  expect(normalAddress('fe80::1%eth0')).toBe('fe80:0:0:0:0:0:0:1')
})

it('connections are counted by the IPv4 address, or by the /64', () => {
  expect(limitKey('198.51.100.1')).toBe('198.51.100.1')
  expect(limitKey('2001:db8:0:1:2:3:4:5')).toBe('2001:db8:0:1::/64')
  expect(limitKey('2001:db8::1:ffff:3:4:5')).toBe(limitKey('2001:db8:0:1:2:3:4:5'))
  expect(limitKey('2001:db8:0:2::1')).not.toBe(limitKey('2001:db8:0:1::1'))
  expect(limitKey('')).toBe('')
})

it('of trusted proxies there may be 1,024', () => {
  const proxies = trustedProxies(Array.from({ length: 1_024 }, (_, index) => `10.0.${index >> 8}.${index & 255}`))
  expect(clientAddress('10.0.3.255', '198.51.100.1', proxies)).toBe('198.51.100.1')
})

it('what is neither an address nor a network is no trusted proxy', () => {
  const wrong = [
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    '10.0.0.0/-1',
    '::ffff:10.0.0.0/8',
    'fe80::1%eth0',
    7,
  ]
  for (const one of wrong) {
    expect(() => trustedProxies([one as string])).toThrow(expect.objectContaining({ code: 'ERR_BAD_OPTION' }))
  }
  for (const list of ['10.0.0.0/8', undefined, new Array<string>(1_025).fill('10.0.0.1')]) {
    expect(() => trustedProxies(list as string[])).toThrow(expect.objectContaining({ code: 'ERR_BAD_OPTION' }))
  }
})

describe('the connections of an address', () => {
  it('are so many at most, and one that has gone makes room', () => {
    const counts = new AddressCounts({ maxPerAddress: 2, maxAddresses: 10 })
    expect([counts.enter('a'), counts.enter('a'), counts.enter('a'), counts.enter('b')]).toEqual([
      true,
      true,
      false,
      true,
    ])
    counts.leave('a')
    expect(counts.of('a')).toBe(1)
    expect(counts.enter('a')).toBe(true)
  })

  it('are of so many addresses at most, and one without connections takes no room', () => {
    const counts = new AddressCounts({ maxPerAddress: 2, maxAddresses: 2 })
    expect([counts.enter('a'), counts.enter('b'), counts.enter('c'), counts.enter('b')]).toEqual([
      true,
      true,
      false,
      true,
    ])
    counts.leave('a')
    expect(counts.size).toBe(1)
    expect(counts.enter('c')).toBe(true)
    for (const key of ['b', 'b', 'c', 'c', 'x']) counts.leave(key)
    expect(counts.size).toBe(0)
  })
})
